"""One partition's correlation in process: what is fed is bytes of ``graph.input``, what is timed is
``GraphShard.step``, from those bytes to the finished output records."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import records

from pipeline.events import Input
from pipeline.rules.shard import GraphShard

clock = time.process_time


class Core:
    """A shard that is fed and timed."""

    def __init__(self, instances: int = 0, rules: int = 0) -> None:
        self.shard = GraphShard(0)
        self.position = 0
        self.rules = 0
        self.reports = 0
        # Ingest marks the clock from the start.
        self.feed([records.mark(records.time(0))])
        self.add_rules(rules)
        self.feed(records.topology(instances))
        self.instances = instances
        settle()

    def add_rules(self, rules: int) -> None:
        """Puts rules live until there are as many; the first is the one that matches."""
        names = [records.name_of(number) for number in range(self.rules, rules)]
        self.feed(records.rule(name, records.template(name)) for name in names)
        self.rules = max(self.rules, rules)

    def feed(self, given: Iterable[Input]) -> int:
        """Applies records, untimed as a whole; how many."""
        count = 0
        for record in given:
            self.position += 1
            self.shard.step(records.encode(record), self.position, 0)
            count += 1
            if not count % 10_000:
                self.shard.dirty.clear()
        self.shard.dirty.clear()
        return count

    def seconds(self, given: Iterable[Input]) -> tuple[float, float]:
        """Processor seconds of the steps; those of encoding what came of them: each output, and the
        table's rows that changed."""
        values = [records.encode(record) for record in given]
        step, position = self.shard.step, self.position
        began = clock()
        made = [step(value, position + number, 0) for number, value in enumerate(values, 1)]
        stepped = clock()
        for outputs in made:
            for output in outputs:
                records.encode(output.value)
        for key in self.shard.dirty:
            self.shard.encode(key)
        ended = clock()
        self.position += len(values)
        self.shard.dirty.clear()
        return stepped - began, ended - stepped

    def alarms(self, name: str, type_: str, targets: list[str], cleared: bool = False) -> tuple[float, float]:
        """``seconds`` of one alarm on each target, raised or cleared."""
        first = self.reports
        self.reports += len(targets)
        return self.seconds(
            records.alarm(first + number, name, type_, target, cleared)
            for number, target in enumerate(targets)
        )

    def refresh(self, count: int) -> float:
        """Seconds of as many reports of an instance and its place, as they were before."""
        self.reports += 1
        at = records.time(self.reports, 12)
        given = [each for number in range(count) for each in records.instance(number % self.instances, at)]
        return self.seconds(given)[0]

    def visited(self) -> int:
        """Elements that searches have looked at: the count by which the cap on them works."""
        return self.shard.engine.search.visited

    def standing(self) -> dict[str, int]:
        """What rules have derived that stands."""
        facts = [self.shard.engine.of(graph) for graph in self.shard.graphs.values()]
        return {
            "deduced": sum(fact.standing for each in facts for fact in each.alarms.values()),
            "causes": sum(fact.standing for each in facts for fact in each.causes.values()),
            "states": sum(fact.standing for each in facts for fact in each.states.values()),
        }


def settle() -> None:
    """Leaves what was loaded out of later collections, as a worker does after its restore."""
    gc.collect()
    gc.freeze()


def best(measure: Callable[[], float], times: int = 5) -> float:
    """The least of several: what else a machine does only ever adds."""
    return min(measure() for _ in range(times))


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
