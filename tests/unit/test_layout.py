"""The layout's promises: imports run one way, cores stay pure, heavy libraries have one importer."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline

PACKAGE = Path(pipeline.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "shipped" not in path.parts)
PURE = ("graph", "rules", "workflow")
SHARED = {"document", "errors", "events", "ids", "times"}
MAY_IMPORT = {
    "graph": {"graph"},
    "rules": {"rules", "graph"},
    "workflow": {"workflow"},
}
IMPURE = {
    "aiohttp", "aiokafka", "asyncio", "chdb", "clickhouse_connect", "concurrent", "confluent_kafka",
    "faust", "http", "mode", "multiprocessing", "os", "pathlib", "requests", "secrets",
    "select", "socket", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today", "uuid1", "uuid4"}
CLOCK_OWNERS = {"datetime", "date", "uuid"}
ONE_IMPORTER = {"faust": "streams", "clickhouse_connect": "history", "chdb": "history"}


def part(path: Path) -> str:
    """The directory below ``pipeline`` a module lies in, or its own name."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of what a module imports, wherever in it, with the line."""
    package = ["pipeline", *path.relative_to(PACKAGE).with_suffix("").parts][:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield name, node.lineno
            if node.level:
                for alias in node.names:
                    yield f"{name}.{alias.name}", node.lineno


@pytest.mark.parametrize("library", ONE_IMPORTER)
def test_a_heavy_library_has_one_importer(library: str) -> None:
    guilty = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in MODULES
        if part(path) != ONE_IMPORTER[library]
        for name, line in imports(path)
        if name.split(".")[0] == library
    ]
    assert not guilty, f"only pipeline/{ONE_IMPORTER[library]} imports {library}"


@pytest.mark.parametrize("core", PURE)
def test_a_core_imports_only_what_lies_below_it(core: str) -> None:
    guilty = []
    for path in MODULES:
        if part(path) != core:
            continue
        for name, line in imports(path):
            steps = name.split(".")
            if steps[0] == "pipeline" and len(steps) > 1:
                if steps[1] not in MAY_IMPORT[core] | SHARED:
                    guilty.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
            elif steps[0] in IMPURE:
                guilty.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not guilty


@pytest.mark.parametrize("core", PURE)
def test_a_core_reads_no_clock_and_no_chance(core: str) -> None:
    guilty = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.attr}"
        for path in MODULES
        if part(path) == core
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in CLOCKS
        and isinstance(node.value, ast.Name)
        and node.value.id in CLOCK_OWNERS
    ]
    assert not guilty


@pytest.mark.parametrize("core", PURE)
def test_a_core_draws_only_from_what_it_was_given(core: str) -> None:
    """``random.Random(SEED)`` is a function of its seed; anything else of ``random`` is chance."""
    guilty = []
    for path in MODULES:
        if part(path) != core:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        seeded = {
            id(node.func)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) == "random.Random"
        }
        guilty += [
            f"{path.relative_to(PACKAGE)}:{node.lineno}"
            for node in ast.walk(tree)
            if (isinstance(node, ast.ImportFrom) and node.module == "random")
            or (
                isinstance(node, ast.Attribute)
                and ast.unparse(node.value) == "random"
                and id(node) not in seeded
            )
        ]
    assert not guilty


def test_cores_and_shared_modules_import_no_host() -> None:
    hosts = {"actions", "commands", "console", "executor", "history", "ingest", "kafka", "local", "streams"}
    guilty = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name}"
        for path in MODULES
        if part(path) in {*PURE, *SHARED}
        for name, line in imports(path)
        if name.startswith("pipeline.") and name.split(".")[1] in hosts
    ]
    assert not guilty


@pytest.mark.parametrize("command", ["validate", "simulate", "run", "test"])
def test_a_command_without_a_broker_loads_neither_faust_nor_a_database(command: str) -> None:
    code = (
        "import sys, pipeline.cli as cli\n"
        f"cli.load({command!r})\n"
        "print([m for m in ('faust', 'confluent_kafka', 'chdb', 'clickhouse_connect') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_modules_are_small() -> None:
    lengths = {
        path.relative_to(PACKAGE): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES
    }
    long = {str(path): lines for path, lines in lengths.items() if lines > 400}
    assert not long, "past 400 lines a module holds a second noun"
