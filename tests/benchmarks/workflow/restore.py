"""How fast a partition's executions are restored from their table, and how timers fare in numbers.

python tests/benchmarks/workflow/restore.py [EXECUTIONS]
"""

from __future__ import annotations

import gc
import sys
import time

import msgspec

from pipeline.workflow.shard import WorkflowShard

TEXT = """
version: '2.0'
wf:
  input: [x]
  tasks:
    a: {action: some.action x=<% $.x %>, publish: {r: <% task().result %>}, on-success: b}
    b: {action: some.action x=<% $.r %>, wait-before: 60}
"""
NOW = 1_700_000_000_000_000


def main() -> None:
    """Fills a shard, writes its table, restores it, lets every timer fire."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    shard = WorkflowShard(0)
    encode = msgspec.json.encode
    definition = {"kind": "WORKFLOW", "name": "wf", "text": TEXT}
    shard.step(encode({"id": "d", "command": "DEFINITION", "definition": definition}), 0, NOW)
    position = 0
    for number in range(count):
        root = f"e{number}"
        start = {"id": root, "command": "START", "root": root, "execution": root, "workflow": "wf"}
        position += 1
        outputs = shard.step(encode({**start, "input": {"x": number}}), position, NOW + position)
        action = next(output.value for output in outputs if output.topic == "workflow.actions")
        place = {key: action[key] for key in ("root", "execution", "task")}
        result = {"id": f"r{number}", "command": "RESULT", **place, "action": action["id"]}
        position += 1
        shard.step(encode({**result, "state": "SUCCESS", "result": number}), position, NOW + position)
    begin = time.process_time()
    table = {key: shard.encode(key) for key in shard.dirty}
    took = time.process_time() - begin
    size = sum(len(value or b"") for value in table.values())
    each = size / len(table)
    print(f"encode   {len(table):>8} keys {len(table) / took:>9.0f} keys/s {each:>6.0f} bytes each")
    # As the host does it: collection would look at all that is kept again and again.
    gc.disable()
    other = WorkflowShard(0)
    begin = time.process_time()
    for key, value in table.items():
        if value is not None:
            other.load(key, value)
    other.restored()
    took = time.process_time() - begin
    gc.enable()
    print(f"restore  {len(table):>8} keys {len(table) / took:>9.0f} keys/s")
    begin = time.process_time()
    outputs = other.timers(NOW + 120_000_000)
    took = time.process_time() - begin
    print(f"timers   {len(outputs):>8} due  {len(outputs) / took:>9.0f} a second")
    begin = time.process_time()
    for output in outputs:
        position += 1
        other.step(encode(output.value), position, NOW + 120_000_000)
    took = time.process_time() - begin
    print(f"fired    {len(outputs):>8} steps {len(outputs) / took:>8.0f} steps/s")


if __name__ == "__main__":
    main()
