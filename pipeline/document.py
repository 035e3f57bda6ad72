"""A YAML document whose every value knows its line and column, and findings about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml

from .errors import InvalidDocument

Step = str | int
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; both numbers count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or doubtful, in a file."""

    path: str
    line: int
    column: int
    code: str
    message: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.code}: {self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: ``value`` in plain Python, ``marks`` by the path of keys and indexes."""

    path: str
    text: str
    value: Any
    marks: Mapping[tuple[Step, ...], Mark]
    warnings: list[Finding] = field(default_factory=list)

    def at(self, *steps: Step) -> Mark:
        """Where ``steps`` lead; where that is unknown, the nearest place above."""
        while steps and steps not in self.marks:
            steps = steps[:-1]
        return self.marks.get(steps, Mark(1, 1))

    def below(self, *steps: Step) -> Document:
        """The part of the document to which ``steps`` lead, as one of its own."""
        value = self.value
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else value[step]
        marks = {path[len(steps) :]: mark for path, mark in self.marks.items() if path[: len(steps)] == steps}
        return Document(self.path, self.text, value, marks or {(): self.at(*steps)})

    def finding(
        self,
        code: str,
        message: str,
        *steps: Step,
        level: Literal["error", "warning"] = "error",
        word: str = "",
    ) -> Finding:
        """A finding at the place that ``steps`` lead to, or at the ``word`` in the value there."""
        mark = self.at(*steps)
        if word:
            mark = self._of(word, mark)
        return Finding(self.path, mark.line, mark.column, code, message, level)

    def _of(self, word: str, key: Mark) -> Mark:
        """Where a word stands beside its key; where that is not seen, the key."""
        lines = self.text.splitlines()
        line = lines[key.line - 1] if key.line <= len(lines) else ""
        start = line.find(":", key.column - 1) + 1
        found = re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w.-])").search(line, start)
        return Mark(key.line, found.start() + 1) if start and found else key


def read(
    text: str, path: str = "-", *, scalars: Literal["text", "yaml"] = "yaml", aliases: bool = True
) -> Document:
    """Parses one YAML document.

    ``scalars="text"`` keeps every scalar a string (as Vitrage's templates are read);
    ``"yaml"`` gives numbers, booleans and nulls. ``aliases=False`` refuses anchors,
    aliases and merge keys (as Mistral's documents are read). A key that stands twice
    in one mapping is a warning; the last one wins.

    Raises ``InvalidDocument`` with a finding of code ``yaml``.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = _advised(getattr(error, "problem", None) or str(error), text, mark)
        raise InvalidDocument(
            [Finding(path, line, column, "yaml", f"not readable as YAML: {problem}")]
        ) from error
    if not aliases:
        _refuse_aliases(text, path)
    marks: dict[tuple[Step, ...], Mark] = {}
    warnings: list[Finding] = []
    builder = _Builder(path, scalars == "text", marks, warnings)
    value = None if node is None else builder.build(node, (), frozenset())
    return Document(path, text, value, marks, warnings)


def read_file(path: Path, *, scalars: Literal["text", "yaml"] = "yaml", aliases: bool = True) -> Document:
    """``read`` of a file. Raises ``InvalidDocument`` also when it cannot be opened or is not UTF-8."""
    try:
        # As it is: what is put live must be the file, line ends and all.
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InvalidDocument([Finding(str(path), 1, 1, "file", f"cannot be read: {error}")]) from error
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (at byte {error.start}); save it as UTF-8"
        raise InvalidDocument([Finding(str(path), 1, 1, "file", message)]) from error
    return read(text, str(path), scalars=scalars, aliases=aliases)


def _advised(problem: str, text: str, mark: Any) -> str:
    """What the parser says is wrong, and where its words are no help what to write instead."""
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if line[: mark.column + 1 if mark else 0].strip(" ").startswith("\t"):
        return "a line begins with a tab; indent with spaces"
    if "expected ',' or" in problem:
        return f"{problem}; within {{ }} and [ ] put quotes around a value that has brackets or commas"
    if "mapping values are not allowed" in problem:
        return f"{problem}; put quotes around a value that has a colon, or mend the indent"
    if "block end" in problem or "expected key" in problem:
        return f"{problem}; is the indent the same as that of the lines above?"
    return problem


def _refuse_aliases(text: str, path: str) -> None:
    for event in yaml.parse(text, Loader=_Loader):
        anchor = getattr(event, "anchor", None)
        merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and not event.style
        if anchor is not None or merge:
            mark: Any = event.start_mark
            what = "merge keys (<<)" if merge else f"anchors and aliases (&{anchor}, *{anchor})"
            message = f"{what} are not part of this language; write the value out at each place"
            raise InvalidDocument([Finding(path, mark.line + 1, mark.column + 1, "yaml-alias", message)])


class _Builder:
    """Turns composed nodes into plain values, noting where each came from."""

    def __init__(
        self, path: str, text_only: bool, marks: dict[tuple[Step, ...], Mark], warnings: list[Finding]
    ) -> None:
        self.path = path
        self.marks = marks
        self.warnings = warnings
        self.text_only = text_only
        self.scalars = yaml.SafeLoader("")

    def build(self, node: Any, steps: tuple[Step, ...], open_nodes: frozenset[int]) -> Any:
        place = node.start_mark
        self.marks[steps] = Mark(place.line + 1, place.column + 1)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if id(node) in open_nodes:
            raise InvalidDocument(
                [self.note(node, "yaml", "a value contains itself; write it out without the alias")]
            )
        open_nodes = open_nodes | {id(node)}
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*steps, index), open_nodes) for index, child in enumerate(node.value)]
        result: dict[Any, Any] = {}
        for key_node, child in self.pairs(node):
            if not isinstance(key_node, yaml.ScalarNode):
                raise InvalidDocument(
                    [self.note(key_node, "yaml", "a key must be a word, not a list or mapping")]
                )
            key = self.scalar(key_node)
            if key in result:
                self.warnings.append(
                    self.note(key_node, "yaml-twice", f"{key!r} stands twice; the last one counts")
                )
            step = key if isinstance(key, str | int) else str(key)
            result[key] = self.build(child, (*steps, step), open_nodes)
            # A finding about a value is easiest found at its key.
            self.marks[(*steps, step)] = Mark(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        return result

    def pairs(self, node: Any) -> Iterator[tuple[Any, Any]]:
        own = {key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
        for key, child in node.value:
            merges = isinstance(key, yaml.ScalarNode) and key.value == "<<" and not key.style
            if not merges:
                yield key, child
                continue
            for source in child.value if isinstance(child, yaml.SequenceNode) else [child]:
                if isinstance(source, yaml.MappingNode):
                    yield from ((k, v) for k, v in self.pairs(source) if k.value not in own)

    def scalar(self, node: Any) -> Any:
        if self.text_only:
            return node.value
        try:
            return self.scalars.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            problem = getattr(error, "problem", None) or str(error)
            raise InvalidDocument([self.note(node, "yaml", f"not readable as YAML: {problem}")]) from error

    def note(self, node: Any, code: str, message: str) -> Finding:
        mark = node.start_mark
        level: Literal["error", "warning"] = "warning" if code == "yaml-twice" else "error"
        return Finding(self.path, mark.line + 1, mark.column + 1, code, message, level)


def meant(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """``did you mean '...'?`` where one of ``known`` is near, else ``otherwise``."""
    found = get_close_matches(word, list(known), n=1)
    return f"did you mean {found[0]!r}?" if found else otherwise


def close(word: str, known: Collection[str], *, listed: bool = False) -> str:
    """``; did you mean ...?`` where one of ``known`` is close, else nothing or (``listed``) what there is."""
    found = get_close_matches(word, known, n=1, cutoff=0.7)
    if found:
        return f"; did you mean {found[0]}?"
    if not listed or not known:
        return ""
    first = list(known)[:8]
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    return "; there are " + ", ".join(map(str, first)) + more
