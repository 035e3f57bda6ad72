"""A sink in a process that may be killed: ``history_sink.py BOOTSTRAP DIRECTORY {TOPIC: NAME}``.

Prints ``ready``, then the positions it has put into the tables again and again, and a line
for each record that it sets aside.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path

from confluent_kafka.admin import AdminClient

from pipeline.codec import Codec
from pipeline.history.database import local, migrate
from pipeline.history.feed import Feed
from pipeline.history.rows import MAPPERS
from pipeline.history.sink import Sink
from pipeline.history.writer import Writer
from pipeline.kafka.deadletter import DeadLetter
from pipeline.kafka.reader import consumer


def set_aside(letter: DeadLetter) -> None:
    print("letter", letter.topic, letter.offset, flush=True)


def main(bootstrap: str, data: Path, topics: dict[str, str]) -> None:
    client = local(data).client()
    migrate(client)
    writer = Writer(client)
    halt = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: halt.set())
    mappers = {name: MAPPERS[topic] for topic, name in topics.items()}
    with consumer(bootstrap, "history-test") as reader:
        admin = AdminClient({"bootstrap.servers": bootstrap})
        feed = Feed(reader, admin, tuple(mappers), lambda log: writer.next.get(log, 0))
        sink = Sink(feed, writer, Codec(), set_aside, mappers)
        work = threading.Thread(target=sink.run, args=(halt,))
        work.start()
        print("ready", flush=True)
        while work.is_alive():
            work.join(0.05)
            print("positions", json.dumps(sink.positions()), flush=True)
    client.close()


main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))
