"""Figures of the whole pipeline on this machine, beside a bare Faust agent in the same run.

    python tests/benchmarks/pipeline/run.py [--alarms N] [--only PART...] [--write FIGURES.md]

Starts a pipeline of its own in a temporary directory (one worker a role, history on) and
stops it at the end. Figures depend on what else the machine does: the ratio to the bare
agent and the processor time a record bear company, the rates do not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[2])]

import latency  # noqa: E402
import recovery  # noqa: E402
import throughput  # noqa: E402
import world  # noqa: E402
from support.machine import facts  # noqa: E402
from support.pipeline_local import PARTITIONS, Pipeline, plain_producer, running, send  # noqa: E402
from support.pipeline_records import domains  # noqa: E402

PARTS = ("throughput", "latency", "recovery")
KINDS = {"UNREAD": 1, "READ": 2}


def main() -> int:
    """Measures what is asked for; 0 when every alarm was counted in ClickHouse."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--alarms", type=int, default=100_000, help="different alarms of each kind")
    parser.add_argument("--rate", type=int, default=500, help="alarms a second where latency is measured")
    parser.add_argument("--seconds", type=float, default=20.0, help="for how long")
    parser.add_argument("--rounds", type=int, default=3, help="restarts and take-overs")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the figures there, as Markdown")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in DIR and leave it there")
    args = parser.parse_args()
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as scratch:
        place = args.keep or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        with running(place, rules=world.write_rules(place)) as pipeline:
            right = _measure(pipeline, args, lines)
    text = "\n".join([*facts("tests/benchmarks/pipeline/run.py"), "", *lines, ""])
    if args.write:
        args.write.write_text(f"# Figures of the whole pipeline\n\n{text}", encoding="utf-8")
    return 0 if right else 1


def _measure(pipeline: Pipeline, args: argparse.Namespace, lines: list[str]) -> bool:
    names = domains(PARTITIONS, "bench")
    right = True
    if "throughput" in args.only:
        hosts = -(-args.alarms // world.NAMES)
        send(plain_producer(pipeline.bootstrap), list(world.hosts(names, hosts)))
        pipeline.settle(300)
        _say(lines, "| run | records | seconds | records/s | of bare | microseconds of CPU a record |")
        _say(lines, "|---|---|---|---|---|---|")
        for kind, outputs in KINDS.items():
            bare = [throughput.bare_run(pipeline, names, kind, args.alarms, hosts, outputs)]
            ours = throughput.pipeline_run(pipeline, names, kind, args.alarms, hosts)
            bare.append(throughput.bare_run(pipeline, names, kind, args.alarms, hosts, outputs))
            best = max(run.rate for run in bare)
            for run in (*bare, ours):
                share = f"{run.rate / best:.0%}"
                costs = ", ".join(f"{role} {micros:.0f}" for role, micros in run.cpu.items())
                taken = f"{run.records:,} | {run.seconds:.1f} | {run.rate:,.0f}"
                _say(lines, f"| {run.name} | {taken} | {share} | {costs} |")
            right &= ours.counted == ours.records
            _say(
                lines,
                f"| ...counted in ClickHouse | {ours.counted:,} of {ours.records:,} | "
                f"{ours.readable:.1f} until readable | | | |",
            )
        _say(lines, "")
    if "latency" in args.only:
        found = latency.measure(pipeline, names, args.rate, args.seconds)
        _say(
            lines,
            f"Produce to deduced alarm at {found.rate}/s ({found.number:,} alarms): p50 {found.p50:.1f} ms, "
            f"p90 {found.p90:.1f} ms, p99 {found.p99:.1f} ms, worst {found.worst:.0f} ms "
            f"(the sender itself at most {found.behind:.0f} ms late).",
        )
    if "recovery" in args.only:
        again = [recovery.restart(pipeline, names) for _ in range(args.rounds)]
        _say(lines, f"Kill -9 of correlate, restarted, until every domain answers: {_seconds(again)}.")
        over = [recovery.take_over(pipeline, names) for _ in range(args.rounds)]
        _say(lines, f"Kill -9 of one of two, until the other answers for every domain: {_seconds(over)}.")
        found_ = recovery.restore(pipeline)
        _say(
            lines,
            f"Restore: {found_.keys:,} keys, read in {found_.reading:.2f} s, "
            f"loaded in {found_.loading:.2f} s: {found_.rate:,.0f} keys/s.",
        )
    return right


def _say(lines: list[str], text: str) -> None:
    print(text, flush=True)
    lines.append(text)


def _seconds(found: list[float]) -> str:
    middle = sorted(found)[len(found) // 2]
    return f"{middle:.1f} s median of " + ", ".join(f"{each:.1f}" for each in found)


if __name__ == "__main__":
    sys.exit(main())
