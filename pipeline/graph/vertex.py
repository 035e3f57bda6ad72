"""Vertices and edges. Entities and alarms are both vertices: rules match them alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..events import EntityRef
from .said import NEVER, Records
from .single import Few

if TYPE_CHECKING:
    from .store import Graph

ON = "on"
CAUSES = "causes"
ACTIVE = "Active"
DEDUCED = "vitrage"

Adjacency = Few[str, Few["Vertex", "Edge"]]


class AlarmPart:
    """What only an alarm has. ``key`` is its ALARM name in every command."""

    __slots__ = ("deduced", "external_id", "key", "resource", "severity")

    def __init__(
        self, key: str, resource: Vertex, severity: str, external_id: str | None = None, deduced: bool = False
    ) -> None:
        self.key = key
        self.resource = resource
        self.severity = severity
        self.external_id = external_id
        self.deduced = deduced


class Derived:
    """What rules say of a vertex: the state that they set (None: none), and whether it is down."""

    __slots__ = ("down", "state")

    def __init__(self) -> None:
        self.state: str | None = None
        self.down = False


class Vertex:
    """An entity or an alarm (then ``alarm`` is set).

    ``live`` is false for placeholders and for what has been removed: no rule matches
    it. ``said_by``, ``time``, ``record`` and ``more`` are its claims (``said.py``).
    A million of these stand in one process: no field that can be computed.
    """

    __slots__ = (
        "alarm",
        "attributes",
        "category",
        "derived",
        "graph",
        "id",
        "into",
        "live",
        "matches",
        "more",
        "name",
        "out",
        "record",
        "said_by",
        "state",
        "time",
        "type",
    )

    def __init__(self, graph: Graph, type_: str, id_: str) -> None:
        self.graph = graph
        self.type = type_
        self.id = id_
        self.name: str | None = None
        self.category = ""
        self.state: str | None = None
        self.attributes: dict[str, Any] | None = None
        self.alarm: AlarmPart | None = None
        self.live = False
        self.out: Adjacency | None = None
        self.into: Adjacency | None = None
        self.derived: Derived | None = None
        self.matches: dict[Any, None] | None = None
        self.said_by: str | None = None
        self.time = NEVER
        self.record: Records = ""
        self.more: dict[str, tuple[int, Records]] | None = None

    @property
    def key(self) -> str:
        """``TYPE/ID``, or the alarm's key."""
        return f"{self.type}/{self.id}" if self.alarm is None else self.alarm.key

    @property
    def ref(self) -> EntityRef:
        return EntityRef(self.type, self.id)

    def __repr__(self) -> str:
        return f"<{self.key}{'' if self.live else ' (not live)'}>"


class Edge:
    """A relationship: ``base`` when a record says it, ``derived`` when a rule does."""

    __slots__ = ("attributes", "base", "derived", "more", "record", "said_by", "time")

    def __init__(self, base: bool, derived: bool = False) -> None:
        self.base = base
        self.derived = derived
        self.attributes: dict[str, Any] | None = None
        self.said_by: str | None = None
        self.time = NEVER
        self.record: Records = ""
        self.more: dict[str, tuple[int, Records]] | None = None


def linked(source: Vertex, label: str, target: Vertex) -> Edge | None:
    """The edge ``source -label-> target``, if there is one."""
    if source.out is None:
        return None
    ends = source.out.get(label)
    return None if ends is None else ends.get(target)
