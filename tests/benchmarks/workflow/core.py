"""How many commands a second the engine applies, with no broker and no executor around it.

    python tests/benchmarks/workflow/core.py [WORKFLOWS]

Prints one line for each shape of workflow. A step is one record of the log.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from pipeline.commands.worker import COLLECT_AFTER
from pipeline.workflow.shard import WorkflowShard

ONE = "one: {tasks: {a: {action: some.action x=1}}}"
FIVE = """five:
  input: [x]
  tasks:
    a: {action: some.action x=<% $.x %>, publish: {r: <% task().result %>}, on-success: b}
    b: {action: some.action x=<% $.r %>, on-success: c}
    c: {action: some.action x=<% $.r %>, on-success: d}
    d: {action: some.action x=<% $.r %>, on-success: e}
    e: {action: some.action x=<% $.r %>}
"""
FORK = "\n".join(
    [
        "fork:",
        "  tasks:",
        f"    s: {{action: some.action, on-success: [{', '.join(f'b{n}' for n in range(10))}]}}",
        *[f"    b{n}: {{action: some.action, on-success: j}}" for n in range(10)],
        "    j: {join: all, action: some.action}",
    ]
)


def items(count: int) -> str:
    """A workflow over ``count`` items."""
    task = f"{{with-items: 'i in <% range(0, {count}) %>', action: some.action i=<% $.i %>}}"
    return f"items:\n  tasks:\n    a: {task}\n"


def wide(count: int) -> str:
    """A workflow of ``count`` branches that meet."""
    names = [f"b{n}" for n in range(count)]
    branches = "".join(f"    {name}: {{action: some.action, on-success: j}}\n" for name in names)
    return f"wide:\n  tasks:\n{branches}    j: {{join: all, action: some.action}}\n"


def deep(levels: int) -> str:
    """Joins one after another, two branches each."""
    lines = ["deep:", "  tasks:", "    j0: {action: some.action, on-success: [l0, r0]}"]
    for n in range(levels):
        after = f", on-success: [l{n + 1}, r{n + 1}]" if n + 1 < levels else ""
        lines += [f"    {side}{n}: {{action: some.action, on-success: j{n + 1}}}" for side in "lr"]
        lines.append(f"    j{n + 1}: {{join: all, action: some.action{after}}}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs every shape."""
    for title, rate in rates(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000):
        print(f"{title:<24} {rate:>9.0f} steps/s")


def rates(count: int) -> Iterator[tuple[str, float]]:
    """The steps a second of each shape, with about ``count`` executions of the smallest."""
    # As in a worker.
    gc.set_threshold(*COLLECT_AFTER)
    yield "one task", rate(ONE, "one", count)
    yield "sequence of 5", rate(FIVE, "five", count // 4, {"x": 1})
    yield "fork and join of 10", rate(FORK, "fork", count // 10)
    for each in (100, 1_000, 10_000):
        yield f"with-items over {each:,}", rate(items(each), "items", max(1, count // (5 * each)))
    for each in (100, 500):
        yield f"join of {each}", rate(wide(each), "wide", 2)
    yield "ten levels of joins", rate(deep(10), "deep", count // 50)


def rate(text: str, workflow: str, count: int, given: dict[str, Any] | None = None) -> float:
    """Runs ``count`` executions side by side, a hundred at a time; returns the steps a second."""
    shard = WorkflowShard(0)
    definition = {"kind": "WORKFLOW", "name": workflow, "text": f"version: '2.0'\n{text}"}
    shard.step(msgspec.json.encode({"id": "d", "command": "DEFINITION", "definition": definition}), 0, 1)
    encode = msgspec.json.encode
    begun = steps = done = 0
    taken = 0.0
    queue: list[dict[str, Any]] = []
    # Nothing here waits, so processor time is the measure that a busy machine does not distort.
    clock: Callable[[], float] = time.process_time
    while done < count:
        while begun < count and begun - done < 100:
            begun += 1
            root = f"e{begun}"
            start = {"command": "START", "root": root, "execution": root, "workflow": workflow}
            queue.append({"id": root, **start, "input": given or {}})
        values = [encode(command) for command in queue]
        queue = []
        produced = []
        begin = clock()
        for value in values:
            steps += 1
            produced += shard.step(value, steps, steps)
        if steps % 1000 < 100:
            # What a checkpoint would do twice a second.
            for key in shard.dirty:
                shard.encode(key)
            shard.dirty.clear()
        taken += clock() - begin
        for output in produced:
            each = output.value
            if output.topic == "workflow.actions":
                place = {key: each[key] for key in ("root", "execution", "task")}
                queue.append(
                    {
                        "id": f"r{each['id']}",
                        "command": "RESULT",
                        **place,
                        "action": each["id"],
                        "state": "SUCCESS",
                        "result": 1,
                    }
                )
            elif each["kind"] == "EXECUTION" and each["state"] in ("SUCCESS", "ERROR"):
                assert each["state"] == "SUCCESS", each
                done += 1
    return steps / taken


if __name__ == "__main__":
    main()
