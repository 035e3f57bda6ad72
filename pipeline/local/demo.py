"""The demo: starts everything on this machine, plays an incident, and checks what came of it.

Nothing here tells the pipeline what to do: a topology and two alarms are published, the rest
follows. What is expected is read back from Kafka and ClickHouse.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..console.drawing import topology_tree
from ..errors import FaultlineError
from ..settings import Settings
from ..times import rfc3339
from . import incident, narrator, report
from .report import Expectation, Facts
from .stage import Stage, staged
from .watch import Seen

PATIENCE = 180.0
TERMINAL = ("SUCCESS", "ERROR", "CANCELLED")


class DemoFailed(FaultlineError):
    """Raised when the demo waits for something that does not come; the message says for what."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that was played: the broker's append times, in microseconds, of what matters."""

    host: str
    reported: int
    deduced: int | None
    cleared: int | None
    ended: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo found."""

    facts: Facts
    faults: list[Fault]
    expectations: list[Expectation]
    calls: dict[str, dict[str, int]]
    deduced: int
    seconds: float

    @property
    def held(self) -> bool:
        return all(one.held for one in self.expectations)

    def document(self) -> dict[str, Any]:
        """The outcome as one JSON document."""
        return {
            "held": self.held,
            "expectations": [{"text": one.text, "held": one.held} for one in self.expectations],
            "facts": self.facts.document(),
            "calls": self.calls,
            "faults": [
                {
                    "host": one.host,
                    "seconds_to_deduction": _seconds(one.deduced, one.reported),
                    "seconds_to_alarm_cleared": _seconds(one.cleared, one.reported),
                    "seconds_to_playbook_ended": _seconds(one.ended, one.reported),
                }
                for one in self.faults
            ],
        }


def run(
    settings: Settings,
    console: Console,
    *,
    pace: float = 1.0,
    keep: Callable[[], bool] | None = None,
) -> Outcome:
    """Starts everything, plays both faults, checks and shows what came of them. Main thread only.

    ``keep``: called over and over once the demo has ended; everything stays up while it is true.
    Raises ``DemoFailed``, and whatever starting raises.
    """
    began = time.monotonic()
    _say(console, "starting a Kafka broker, every role as a process of its own, and the demo cloud ...")
    with staged(settings, pace=pace) as stage:
        _say(console, f"everything is up after {time.monotonic() - began:.1f} s: {stage.api.api}")
        outcome = play(stage, console, began)
        show(console, outcome)
        if keep is not None:
            _say(
                console, f"still running at {stage.api.api}; try faultline topology, alarms, executions, sql"
            )
            _say(console, "Ctrl-C ends it")
            while keep():
                stage.look()
    return outcome


def play(stage: Stage, console: Console, began: float) -> Outcome:
    """Publishes the world, then one fault after the other, and reads back what came of them."""
    published = list(incident.topology(stage.domain, _now()))
    for record in published:
        stage.send(record)
    _settle(stage)
    stage.look()
    _draw(console, stage, f"{len(published)} records describe the world: before the fault")

    faults = [_fault(stage, console, incident.FIRST_FAULT)]
    _draw(console, stage, "after the repair")
    _say(console, "\nThe unhappy end: a server that does not answer where it is taken.")
    faults.append(_fault(stage, console, incident.SECOND_FAULT))
    _draw(console, stage, "at the end")

    found, calls = report.facts(stage.api, stage.domain), stage.calls()
    # Sent again after a crash, a record is the same record: counted once by its id.
    deduced = len({one.value["id"] for one in stage.seen if one.topic == "alarms.deduced"})
    expectations = [
        *report.expectations(found, calls),
        Expectation(
            "every deduced alarm on Kafka stands in ClickHouse, and no other", deduced == len(found.raised)
        ),
    ]
    return Outcome(found, faults, expectations, calls, deduced, time.monotonic() - began)


def _fault(stage: Stage, console: Console, host: str) -> Fault:
    """Reports that ``host``'s port is down and follows what happens until its playbook has ended."""
    movable = next(one.id for one in incident.INSTANCES if one.host == host and one.migrate == "auto")
    key = incident.deduced_key(movable)
    _say(console, f"\nThe public network port of {host} fails, and monitoring says so.")
    before = len(stage.seen)
    reported = stage.send(incident.fault(stage.domain, host, _now()))

    def ended() -> bool:
        mine = stage.seen[before:]
        return _ended(mine) is not None and _first(mine, key, "CLEARED") is not None

    _follow(stage, console, reported, ended, f"the playbook for {movable} to end and its alarm to clear")
    _settle(stage)
    _tell(console, reported, stage.look())
    mine = stage.seen[before:]
    return Fault(host, reported, _first(mine, key, "ACTIVE"), _first(mine, key, "CLEARED"), _ended(mine))


def _ended(seen: list[Seen]) -> int | None:
    for one in seen:
        step = one.value if one.topic == "workflow.steps" else {}
        if step.get("kind") == "EXECUTION" and step["state"] in TERMINAL:
            return one.time
    return None


def _first(seen: list[Seen], key: str, status: str) -> int | None:
    for one in seen:
        if one.topic != "alarms.deduced":
            continue
        if one.value["alarm"]["key"] == key and one.value["alarm"]["status"] == status:
            return one.time
    return None


def _follow(stage: Stage, console: Console, zero: int, ended: Callable[[], bool], awaited: str) -> None:
    limit = time.monotonic() + PATIENCE
    while not ended():
        _tell(console, zero, stage.look())
        if time.monotonic() > limit:
            raise DemoFailed(
                f"waited {PATIENCE:.0f} s for {awaited}; the roles' logs lie in "
                f"{stage.pipeline.settings.data / 'logs'}"
            )


def _settle(stage: Stage) -> None:
    """Waits until all that was published, and what follows from it, can be read from history."""
    limit = time.monotonic() + PATIENCE
    while True:
        stage.look()
        try:
            # Short waits: the roles must be looked after meanwhile.
            answer = stage.api.get("/api/status", wait=0.3)
        except FaultlineError as error:
            # The process that answers may have died a moment ago: it is being started again.
            answer = {"settled": False, "lagging": "history", "detail": str(error)}
        if answer["settled"]:
            return
        if time.monotonic() > limit:
            raise DemoFailed(f"waited {PATIENCE:.0f} s for {answer['lagging']}: {answer['detail']}")


def _tell(console: Console, zero: int, seen: list[Seen]) -> None:
    for one in seen:
        for line in narrator.narrate(one.topic, one.value):
            text = Text(f"{(one.time - zero) / 1e6:+9.3f} s  ", style="dim")
            text.append(f"{line.voice:<11}", style=f"not dim {narrator.STYLES[line.voice]}")
            text.append(line.text, style="not dim")
            console.print(text, soft_wrap=True, highlight=False)


def _draw(console: Console, stage: Stage, title: str) -> None:
    found = stage.api.get("/api/topology")
    own = {
        part: [one for one in found[part] if one["domain"] == stage.domain]
        for part in ("entities", "relationships", "alarms")
    }
    console.print()
    console.print(Text(title, style="bold"))
    console.print(topology_tree(own))


def show(console: Console, outcome: Outcome) -> None:
    """Prints the table of what happened and what was expected."""
    found = outcome.facts
    table = Table(title="What happened", title_style="bold", show_header=False, min_width=60)
    table.add_column(style="bold")
    table.add_column()
    published = ", ".join(f"{one['records']} {one['kind']}" for one in found.published)
    table.add_row("published", f"{published} (records, the cloud's own among them)")
    table.add_row("deduced", f"{len({one['key'] for one in found.raised})} alarms, {outcome.deduced} records")
    table.add_row("linked", f"{len(found.caused)} alarms to their causes, {len(found.causes)} still standing")
    done = [f"{one['workflow']} {one['input']} {one['state']}" for one in found.executions]
    table.add_row("done", "\n".join(done) or "nothing")
    for one in outcome.faults:
        table.add_row(f"{one.host}: fault to deduction", f"{_seconds(one.deduced, one.reported)} s")
        table.add_row(f"{one.host}: fault to alarm cleared", f"{_seconds(one.cleared, one.reported)} s")
        table.add_row(f"{one.host}: fault to playbook's end", f"{_seconds(one.ended, one.reported)} s")
    table.add_row("in all", f"{outcome.seconds:.1f} s, starting included")
    console.print()
    console.print(table)
    for expectation in outcome.expectations:
        mark = Text("✔ " if expectation.held else "✘ ", style="green" if expectation.held else "bold red")
        console.print(mark.append(expectation.text, style="default"))
    failed = sum(not one.held for one in outcome.expectations)
    verdict = f"{failed} expectations failed" if failed else "every expectation held"
    console.print(Text(verdict, style="bold red" if failed else "bold green"))


def _say(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)


def _seconds(moment: int | None, zero: int) -> float | None:
    return None if moment is None else round((moment - zero) / 1e6, 3)


def _now() -> str:
    return rfc3339(time.time_ns() // 1000)
