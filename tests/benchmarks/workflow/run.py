"""Figures of workflows on this machine, each beside its target.

    python tests/benchmarks/workflow/run.py [--scale S] [--only PART...] [--write FILE]

Starts a pipeline of its own in a temporary directory, with one worker of each role and history
on, asks for executions through Kafka, and stops it at the end. Rates run from the first START to
the last terminal record of ``workflow.steps``, each the median of three rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[2])]

import core  # noqa: E402
import timers  # noqa: E402
from loads import Bench, bench, percentile, playbook  # noqa: E402
from support.machine import facts  # noqa: E402
from support.pipeline_local import running, until  # noqa: E402

ROUNDS = 3
Say = Callable[[str, str, str, bool | None], None]


def main() -> int:
    """Measures what is asked for; 0 when every target was met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the executions")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, "core"], default=[*PARTS, "core"])
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the figures there, as Markdown")
    args = parser.parse_args()
    lines: list[str] = []
    missed: list[str] = []

    def put(text: str) -> None:
        print(text, flush=True)
        lines.append(text)

    def say(work: str, measured: str, target: str, met: bool | None) -> None:
        verdict = {True: "yes", False: "**no**", None: ""}[met]
        put(f"| {work} | {measured} | {target} | {verdict} |")
        if met is False:
            missed.append(work)

    put("| work | measured | target (aim) | met |")
    put("|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as directory:
        playbooks = Path(directory) / "playbooks"
        playbooks.mkdir()
        (playbooks / "bench.yaml").write_text(playbook(), encoding="utf-8")
        with (
            running(Path(directory), "--playbooks", str(playbooks)) as pipeline,
            bench(pipeline) as measured,
        ):
            for part in filter(args.only.__contains__, PARTS):
                PARTS[part](measured, args.scale, say)
            pipeline.settle(120)
            rows = pipeline.sql("SELECT state, count() AS n FROM executions_now GROUP BY state")
    counted = {row["state"]: int(row["n"]) for row in rows}
    if "core" in args.only:
        alone(args.scale, say)
    put("")
    put(f"Executions in history: {counted}; asked for: {measured.asked:,}.")
    if args.write:
        text = "\n".join([*facts("tests/benchmarks/workflow/run.py"), "", *lines, ""])
        args.write.write_text(f"# Figures of workflows\n\n{text}", encoding="utf-8")
    right = counted == {"SUCCESS": measured.asked}
    return 0 if right and not missed else 1


def throughput(bench: Bench, scale: float, say: Say) -> None:
    """Executions asked for all at once."""

    def rate(name: str, workflow: str, number: int, size: int, target: int, aim: int, unit: str) -> None:
        number = max(20, round(number * scale))
        found = number * size / bench.rounds(workflow, {}, number, ROUNDS)
        say(
            f"{name} ({number:,} at once)",
            f"{found:,.0f} {unit}/s",
            f">= {target:,}/s ({aim:,})",
            found >= target,
        )

    rate("one-task workflows", "one", 4000, 1, 400, 600, "workflows")
    rate("sequences of 5", "five", 2000, 5, 1000, 2000, "tasks")
    rate("fork and join of 10", "fork", 500, 1, 80, 150, "workflows")
    number = max(4, round(100 * scale))
    found = number / bench.rounds("many", {"count": 100}, number, ROUNDS)
    say(f"with-items over 100 ({number} at once)", f"{found:.1f} workflows/s", ">= 16/s", found >= 16)
    thousand = bench.rounds("many", {"count": 1_000}, 1, ROUNDS)
    say("with-items over 1,000, one alone", f"{thousand:.2f} s", "<= 1.2 s", thousand <= 1.2)
    most = bench.rounds("many", {"count": 10_000}, 1, ROUNDS)
    times = most / thousand
    say("with-items over 10,000", f"{most:.2f} s, {times:.1f}x that of 1,000", "<= 12x", times <= 12)


def joins(bench: Bench, scale: float, say: Say) -> None:
    """Wide joins and deep ones, one execution at a time."""
    few, many = (bench.rounds(f"join_{count}", {}, 1, ROUNDS) for count in (100, 500))
    say(
        "join of 500 branches",
        f"{many:.2f} s, {many / few:.1f}x that of 100",
        "linear: <= 5x",
        many <= 5 * few,
    )
    one, ten = (bench.rounds(f"levels_{count}", {}, 1, ROUNDS) for count in (1, 10))
    each = (ten - one) / 9 * 1000
    say(
        "ten levels of joins",
        f"{each:.0f} ms a level (two tasks one after another)",
        "<= 100 ms",
        each <= 100,
    )


def latency(bench: Bench, scale: float, say: Say) -> None:
    """One task at half of the load that is promised, and of the load that is aimed at."""
    for rate in (200, 300):
        soon = bench.latency(rate, max(200, round(30 * rate * scale)))
        ended, readable = ([round(each * 1000) for each in some] for some in (soon.ended, soon.readable))
        half = percentile(ended, 99) <= 150
        say(
            f"one task at {rate}/s, to its terminal step",
            f"p50 {percentile(ended, 50)} ms, p99 {percentile(ended, 99)} ms",
            "p99 <= 150 ms",
            half if rate == 200 else None,
        )
        say(
            "...readable in history",
            f"p50 {percentile(readable, 50):,} ms, p99 {percentile(readable, 99):,} ms",
            "p99 <= 2 s",
            percentile(readable, 99) <= 2000 if rate == 200 else None,
        )


def lateness(bench: Bench, scale: float, say: Say) -> None:
    """Timers, with a worker that lives and with one that is killed while all are pending."""
    number = round(10_000 * scale)
    for kill in (False, True):
        found = timers.measure(bench, number, 40 * scale, kill)
        late = sorted(round(each * 1000) for each in found.late)
        say(
            f"{found.pending:,} timers pending{', the worker killed' if kill else ''}: how late",
            f"p50 {percentile(late, 50)} ms, p99 {percentile(late, 99)} ms; the first {late[0]} ms",
            "p99 <= 100 ms, never early",
            percentile(late, 99) <= 100 and late[0] >= 0,
        )


def executors(bench: Bench, scale: float, say: Say) -> None:
    """Slow actions, more than one executor takes at a time, on one and on two."""
    given = {"count": max(200, round(2_000 * scale)), "seconds": 0.5}
    alone = bench.load("slow", given, 1)
    bench.pipeline.start_beside("executor", "second")
    until("two executors to share", lambda: len(set(shares(bench))) < len(shares(bench)), 60)
    # What it owns is told before it has read what is known of that: a first action of each waits for it.
    bench.load("slow", {"count": 64, "seconds": 0}, 1)
    both = bench.load("slow", given, 1)
    bench.pipeline.stop_beside()
    until("one executor to have all again", lambda: len(shares(bench)) == 1, 60)
    say(
        f"two executors, {given['count']:,} actions of {given['seconds']} s",
        f"{alone / both:.2f}x ({alone:.1f} s, {both:.1f} s)",
        ">= 1.7x one",
        alone >= 1.7 * both,
    )


def shares(bench: Bench) -> list[int]:
    """How many partitions each executor has."""
    return [len(each) for each in bench.pipeline.owned("executor").values()]


def alone(scale: float, say: Say) -> None:
    """The engine without Kafka: ``step`` alone."""
    for title, rate in core.rates(max(1_000, round(5_000 * scale))):
        say(f"core alone, {title}", f"{rate:,.0f} steps/s", ">= 20,000/s", rate >= 20_000)


PARTS: dict[str, Callable[[Bench, float, Say], None]] = {
    "throughput": throughput,
    "joins": joins,
    "latency": latency,
    "executors": executors,
    "timers": lateness,
}

if __name__ == "__main__":
    sys.exit(main())
