"""Figures of correlation in process, beside Vitrage 15.0.1 in the same run.

    python tests/benchmarks/correlation/run.py [--quick] [--without-vitrage] [--write FIGURES.md]

Times are processor time, which a busy machine spoils least; the two take turns, and each figure is
the least of its rounds. The full run takes some minutes and 4 GB.
"""

from __future__ import annotations

import argparse
import gc
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[2])]

import beside  # noqa: E402
import own  # noqa: E402
from support.machine import facts  # noqa: E402

from pipeline.commands.worker import COLLECT_AFTER  # noqa: E402

EXPLAINED = """\
Vitrage: raw events of its Zabbix and Nova data sources through `Processor.process_event`, the entity graph,
`ScenarioEvaluator` with SQLite in memory, and the evaluator's own events back through the processor until
none is left. Ours: bytes of `graph.input` through `GraphShard.step` to the finished records of
`alarms.deduced` and `graph.journal`; "encoded" adds their bytes and those of the table's rows that changed.
The first table has Vitrage as it comes, by the clock: with its log, garbage collection, and the 50 ms that
its next raw event waits after each that derived something (`EventsCoordination`); ours is encoded there.
The others leave that out in Vitrage's favour; they are processor time, the least of rounds in which the two
took turns, and both leave what was loaded out of garbage collection. "Patched" is Vitrage with sets where
it compares every scenario with every other. Left out everywhere are its queues, its copies of the graph in
other workers, its notifications and its purge of deleted elements.
"""


class Report:
    """Lines of Markdown, shown as they are made."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str = "") -> None:
        print(text, flush=True)
        self.lines.append(text)

    def table(self, *heads: str) -> None:
        self.say()
        self.row(*heads)
        self.row(*("---" for _ in heads))

    def row(self, *cells: str) -> None:
        self.say(f"| {' | '.join(cells)} |")


def main() -> None:
    """Measures and tells."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds")
    parser.add_argument("--without-vitrage", action="store_true", help="our own figures only")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the figures there, as Markdown")
    args = parser.parse_args()
    # As in a worker.
    gc.set_threshold(*COLLECT_AFTER)
    report = Report()
    if not args.without_vitrage:
        with beside.Vitrage(as_shipped=True) as vitrage:
            as_shipped(report, vitrage, args.quick)
        with beside.Vitrage() as vitrage:
            compare(report, vitrage, args.quick)
    ours(report, args.quick)
    theirs = [] if args.without_vitrage else [name.replace("==", " ") for name in beside.PACKAGES]
    measured = ", ".join([f"msgspec {version('msgspec')}", *theirs])
    head = facts("tests/benchmarks/correlation/run.py", measured)
    text = "\n".join([*head, "", EXPLAINED, *report.lines, ""])
    if args.write:
        args.write.write_text(f"# Figures of correlation\n\n{text}", encoding="utf-8")


def as_shipped(report: Report, vitrage: beside.Vitrage, quick: bool) -> None:
    """What a user of either sees: alarms a second, by the clock."""
    report.say("Vitrage as it comes: raw alarms a second by the clock, 1,000 instances")
    report.table("templates", "an alarm of", "Vitrage", "ours", "times faster")
    for templates in (1, 50):
        found = beside.as_shipped(vitrage, templates, 2 if quick else 8)
        for what in ("61 changes", "unread"):
            theirs, mine = found[f"vitrage {what}"], found[f"ours {what}"]
            report.row(f"{templates}", what, f"{theirs:,.1f}", f"{mine:,.0f}", f"{mine / theirs:,.0f}")
    report.say()


def compare(report: Report, vitrage: beside.Vitrage, quick: bool) -> None:
    """The work that both do."""
    rounds = 3 if quick else 8
    report.say("A host alarm with 61 changes (20 alarms, 20 causes, 21 states), in microseconds")
    report.table(
        "templates, of which one matches", "", "Vitrage", "patched", "ours", "ours, encoded", "times faster"
    )
    for templates in (1, 50):
        plain = beside.host_alarm(vitrage, templates, False, rounds)
        patched = beside.host_alarm(vitrage, templates, True, rounds)
        for what in ("raised", "cleared"):
            mine = min(plain[what], patched[what])
            encoded = min(plain[f"{what} encoded"], patched[f"{what} encoded"])
            theirs, better = plain[f"vitrage {what}"], patched[f"vitrage {what}"]
            report.row(
                f"{templates}",
                what,
                *(f"{each * 1e6:,.0f}" for each in (theirs, better, mine, encoded)),
                f"{theirs / mine:,.0f}, {better / mine:,.0f} patched",
            )
    report.say()
    report.say("A refresh of an instance and its place that changes nothing, in microseconds")
    report.table("templates", "Vitrage", "patched", "ours", "times faster")
    for templates in (1, 10, 50) if quick else (1, 10, 50, 200, 1000):
        plain = beside.no_op(vitrage, templates, False, rounds)
        patched = beside.no_op(vitrage, templates, True, rounds)
        _versus(report, [f"{templates:,}"], plain, patched)
    report.say()
    report.say("An alarm that no template reads, in microseconds")
    report.table("instances", "templates", "Vitrage", "patched", "ours", "times faster")
    for size in (1000,) if quick else (1000, 10_000, 50_000):
        for templates in (1, 10, 50):
            plain = beside.nothing(vitrage, size, templates, False, rounds)
            patched = beside.nothing(vitrage, size, templates, True, rounds)
            _versus(report, [f"{size:,}", f"{templates}"], plain, patched)
    report.say()


def _versus(report: Report, heads: list[str], plain: dict[str, float], patched: dict[str, float]) -> None:
    theirs, better, mine = plain["vitrage"], patched["vitrage"], min(plain["ours"], patched["ours"])
    figures = (f"{each * 1e6:,.1f}" for each in (theirs, better, mine))
    report.row(*heads, *figures, f"{theirs / mine:,.0f}, {better / mine:,.0f} patched")


def ours(report: Report, quick: bool) -> None:
    """What only ours is asked."""
    sizes = (1000, 10_000) if quick else (1000, 10_000, 100_000, 1_000_000)
    report.say("Ours at any size: instances with five attributes and one relationship each, 20 on a host")
    report.table(
        "instances",
        "bytes an entity",
        "loaded, records/s",
        "restored, keys/s",
        "61-change alarm, us",
        "elements visited",
        "alarm unread, us (1, 50, 1,000 rules)",
        "mixed records/s",
    )
    for size in sizes:
        core, load = own.loaded(size)
        unread = [own.nothing(core, 1)]
        seconds, visited = own.matching(core)
        mixed = own.mixed(core)
        restored = own.restart(core)
        unread += [own.nothing(core, rules) for rules in (50, 1000)]
        report.row(
            f"{size:,}",
            f"{load['bytes an entity']:,.0f}" if size >= 100_000 else "",
            f"{load['records/s']:,.0f}",
            f"{restored:,.0f}",
            f"{seconds * 1e6:,.0f}",
            f"{visited:,.0f}",
            ", ".join(f"{each * 1e6:.1f}" for each in unread),
            f"{mixed:,.0f}",
        )
        del core
    report.say()
    for ports in (500, 5000) if quick else (500, 50_000):
        seconds, visited = own.supernode(ports, 10)
        report.say(
            f"- A switch with {ports:,} ports, 10 of them with an alarm, changes its state: "
            f"{seconds * 1e6:,.0f} us, {visited:,.0f} elements visited"
        )
    alarms = 2000 if quick else 20_000
    began, ended = own.timed(alarms)
    report.say(
        f"- A rule with `for: 5m`: {began * 1e6:,.0f} us for an alarm that begins to wait; "
        f"{ended * 1e6:,.0f} us for each of {alarms:,} whose wait ends with one clock mark"
    )
    for members in (300, 500):
        seconds, times = own.cut(members)
        told = f"cut short, counted {times} time under the rule's name" if times else "whole"
        report.say(f"- All pairs of {members} instances of a host: {told}, {seconds:.2f} s")


if __name__ == "__main__":
    main()
