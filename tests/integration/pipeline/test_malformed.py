"""What is no record among records: each is set aside with its reason, and nothing else is touched."""

from __future__ import annotations

import random
from collections import Counter

from support.pipeline_local import Pipeline, everything, plain_producer, send
from support.pipeline_records import MALFORMED, UNREAD, Sent, alarm, domains, entity, malformed

GOOD = 10_000
BAD = 1_000


def test_a_thousand_malformed_records_among_ten_thousand(pipeline: Pipeline) -> None:
    names = domains(8, "good")
    records: list[Sent] = []
    for index in range(GOOD // 2):
        domain = names[index % len(names)]
        records.append(entity(domain, "nova.host", f"h{index}"))
        records.append(alarm(domain, UNREAD, f"h{index}", f"good-{index}"))
    bad = [malformed(index) for index in range(BAD)]
    assert len({kind for kind, _ in bad}) == len(MALFORMED) >= 10
    # Anywhere among the good ones, whose own order stays.
    chance = random.Random(7)
    places = sorted(chance.sample(range(GOOD + BAD), BAD))
    for place, (_, record) in zip(places, bad, strict=True):
        records.insert(place, record)
    before = pipeline.status()["records"]
    send(plain_producer(pipeline.bootstrap), records)
    pipeline.settle(120)

    after = pipeline.status()["records"]
    gained = {name: after[name] - before[name] for name in after}
    assert gained == {"read": GOOD + BAD, "applied": GOOD, "ignored": 0, "repeated": 0, "dead_lettered": BAD}

    # In Kafka: the bytes and the key as they came, with a reason that fits the kind.
    sent = {key: (kind, topic, value) for kind, (topic, key, value) in bad}
    letters = [each for each in everything(pipeline.bootstrap, "dead.letters") if _key(each.key()) in sent]
    assert len(letters) == BAD
    reasons: dict[str, Counter[str]] = {}
    places_named = set()
    for letter in letters:
        kind, topic, value = sent[_key(letter.key())]
        headers = {name: content.decode() for name, content in letter.headers() or []}
        assert headers.keys() >= {"reason", "error", "topic", "partition", "offset", "time"}
        assert (headers["topic"], letter.value() or None) == (topic, value or None), kind
        assert headers["error"]
        reasons.setdefault(kind, Counter())[headers["reason"]] += 1
        places_named.add((topic, headers["partition"], headers["offset"]))
    assert len(places_named) == BAD
    print({kind: dict(found) for kind, found in reasons.items()})
    assert all(len(found) == 1 for found in reasons.values()), reasons
    assert len({reason for found in reasons.values() for reason in found}) >= 8

    # And in ClickHouse, each with the same reason.
    rows = pipeline.sql(
        "SELECT key, reason, error, origin_topic FROM dead_letters FINAL WHERE startsWith(key, 'bad-')"
    )
    assert len(rows) == BAD
    for row in rows:
        kind, topic, _ = sent[row["key"]]
        assert (row["reason"] in reasons[kind], row["origin_topic"], bool(row["error"])) == (
            True,
            topic,
            True,
        )

    [kept] = pipeline.sql(
        "SELECT (SELECT count() FROM alarms_now WHERE startsWith(domain, 'good-')) AS alarms,"
        " (SELECT count() FROM entities_now WHERE startsWith(domain, 'good-') AND NOT placeholder) AS hosts,"
        " (SELECT count() FROM changes WHERE domain = 'bad') AS strays"
    )
    assert kept == {"alarms": GOOD // 2, "hosts": GOOD // 2, "strays": 0}


def _key(key: bytes | None) -> str:
    return (key or b"").decode()
