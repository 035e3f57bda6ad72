"""A steady load on a running pipeline, and the exact count of what must come of it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

from .pipeline_local import Pipeline, everything, plain_producer, send
from .pipeline_records import READ, UNREAD, Sent, alarm, hosts

#: So many hosts later an alarm comes back, that a worker may have died in between.
LATER = 45


class Load:
    """Alarms on hosts of ``domains`` at ``rate`` a second, until ``stop``.

    Every host's alarm is raised, every third is cleared again, and every third of those
    is raised once more a good while later; between them come alarms that no rule reads.
    Producing never gives up: what it counts, Kafka has.
    """

    def __init__(self, pipeline: Pipeline, domains: list[str], rate: int, number: int) -> None:
        self.pipeline = pipeline
        self.domains = domains
        self.number = number
        #: What must be deduced: domain, host, and which life of the alarm it is.
        self.raised: list[tuple[str, int, int]] = []
        self.cleared: list[tuple[str, int, int]] = []
        self.unread = 0
        self.sent = 0
        self._rate = rate
        self._failed: list[str] = []
        self._stopping = threading.Event()
        # Producers wait for a broker that is away, as those of careful people do.
        self._producer = plain_producer(pipeline.bootstrap, **{"delivery.timeout.ms": 300_000})
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Describes all hosts, waits until they are applied, and begins."""
        described = [record for domain in self.domains for record in hosts(domain, self.number)]
        send(self._producer, described)
        self.pipeline.settle(120)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        assert self._producer.flush(120) == 0
        assert not self._failed, self._failed[:3]

    def judge(self) -> dict[str, Any]:
        """Compares what is in Kafka and in ClickHouse with what must be; returns the counts."""
        chosen = ", ".join(f"'{domain}'" for domain in self.domains)
        wanted = {
            "raw": self.sent,
            "raised": len(self.raised),
            "cleared": len(self.cleared),
            "active": len(self.raised) - len(self.cleared),
        }
        [found] = self.pipeline.sql(
            f"SELECT uniqExactIf(record, NOT deduced) AS raw,"
            f" uniqExactIf(id, deduced AND status = 'ACTIVE') AS raised,"
            f" uniqExactIf(id, deduced AND status = 'CLEARED') AS cleared,"
            f" (SELECT count() FROM alarms_now WHERE deduced AND status = 'ACTIVE' AND domain IN ({chosen}))"
            f" AS active,"
            f" uniqExactIf((log_partition, log_offset), NOT deduced) AS places,"
            f" countIf(outcome IN ('REPEATED', 'IGNORED')) AS ignored,"
            f" maxIf(episode, deduced) AS episodes"
            f" FROM alarms WHERE domain IN ({chosen})"
        )
        # One place in the log a record, one life an alarm: nothing was taken twice.
        lives = max(episode for _, _, episode in self.raised)
        assert found == wanted | {"places": self.sent, "ignored": 0, "episodes": lives}, (found, wanted)
        journal = self._once("graph.journal")
        deduced = self._once("alarms.deduced")
        assert len({value["record"] for value in journal.values()}) == len(journal)
        told = Counter(
            (value["domain"], alarm_["resource"]["id"], alarm_["status"], alarm_["episode"])
            for value in deduced.values()
            if (alarm_ := value["alarm"])
        )
        must = Counter((domain, f"i{index}", "ACTIVE", episode) for domain, index, episode in self.raised)
        must += Counter((domain, f"i{index}", "CLEARED", episode) for domain, index, episode in self.cleared)
        assert told == must, (told - must, must - told)
        return found

    def _once(self, topic: str) -> dict[str, dict[str, Any]]:
        """The records of our domains by id: a repetition must be the same bytes."""
        found: dict[str, bytes] = {}
        repeated = 0
        for message in everything(self.pipeline.bootstrap, topic):
            if (message.key() or b"").decode() not in self.domains:
                continue
            value = message.value() or b""
            identity = json.loads(value)["id"]
            repeated += identity in found
            assert found.setdefault(identity, value) == value, (found[identity], value)
        print(f"{topic}: {len(found)} records, {repeated} sent again")
        return {identity: json.loads(value) for identity, value in found.items()}

    def _run(self) -> None:
        step = 0
        while not self._stopping.wait(0.02):
            for _ in range(self._rate // 50):
                self._send(self._next(step))
                step += 1
            self._producer.poll(0)

    def _next(self, step: int) -> Sent:
        domain = self.domains[step % len(self.domains)]
        turn = step // len(self.domains)
        index = turn // 3
        name = f"{domain}-{turn}"
        if turn % 3 == 0 and index < self.number:
            self.raised.append((domain, index, 1))
            return alarm(domain, READ, f"h{index}", name)
        if turn % 3 == 1 and index < self.number and index % 3 == 0:
            self.cleared.append((domain, index, 1))
            return alarm(domain, READ, f"h{index}", name, "CLEARED")
        again = index - LATER
        if turn % 3 == 2 and 0 <= again < self.number and again % 9 == 0:
            self.raised.append((domain, again, 2))
            return alarm(domain, READ, f"h{again}", name)
        self.unread += 1
        return alarm(domain, f"{UNREAD} {turn}", f"h{turn % self.number}", name)

    def _send(self, record: Sent) -> None:
        topic, key, value = record

        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                self._failed.append(error.str())

        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=delivered)
                break
            except BufferError:
                self._producer.poll(0.05)
        self.sent += 1
