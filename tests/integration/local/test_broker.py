from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.errors import BrokerUnavailable
from pipeline.local import broker as local
from pipeline.local import processes


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0


def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes | None] = []
    while len(values) < count:
        values += [message.value() for message in consumer.consume(count - len(values), 30)]
    consumer.close()
    return values


@pytest.mark.broker
def test_restarts_on_its_port_and_data_after_a_stop_and_after_a_kill(tmp_path: Path) -> None:
    first = local.start(tmp_path)
    admin = AdminClient({"bootstrap.servers": first.bootstrap})
    admin.create_topics([NewTopic("t", 1, 1)])["t"].result(20)
    produce(first.bootstrap, "t", [b"one"])
    first.stop()
    assert not first.alive()

    second = local.start(tmp_path)
    assert second.bootstrap == first.bootstrap
    produce(second.bootstrap, "t", [b"two"])
    second.kill()

    third = local.start(tmp_path)
    assert third.bootstrap == first.bootstrap
    assert read(third.bootstrap, "t", 2) == [b"one", b"two"]
    third.stop()


@pytest.mark.broker
def test_takes_another_port_when_its_own_is_taken(tmp_path: Path) -> None:
    first = local.start(tmp_path)
    first.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", first.port))
        squatter.listen()
        second = local.start(tmp_path)
        assert second.port != first.port
        second.stop()
        with pytest.raises(BrokerUnavailable, match=f"port {first.port}"):
            local.start(tmp_path, port=first.port)


@pytest.mark.broker
def test_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from pipeline.local import broker\n"
        "print(broker.start(pathlib.Path(sys.argv[1])).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert processes.exists(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert processes.wait_gone(pid, 10)


@pytest.mark.broker
def test_a_second_broker_on_the_same_data_is_refused_and_leaves_the_first_alone(tmp_path: Path) -> None:
    running = local.start(tmp_path)
    with pytest.raises(BrokerUnavailable, match="another broker is running"):
        local.start(tmp_path)
    assert AdminClient({"bootstrap.servers": running.bootstrap}).list_topics(timeout=10).brokers
    running.stop()


@pytest.mark.broker
def test_says_why_it_cannot_start(tmp_path: Path) -> None:
    local.start(tmp_path).stop()
    properties = tmp_path / "data" / "meta.properties"
    properties.write_text(properties.read_text().replace("node.id=1", "node.id=7"))
    with pytest.raises(BrokerUnavailable) as failure:
        local.start(tmp_path)
    # The end of Kafka's own log tells what is wrong.
    assert "exit status 1" in str(failure.value)
    assert "meta.properties" in str(failure.value)


@pytest.mark.broker
def test_its_heap_is_bounded(broker: local.Broker) -> None:
    arguments = Path(f"/proc/{broker.pid}/cmdline").read_bytes().split(b"\0")
    assert b"-Xmx512m" in arguments
    assert os.getpgid(broker.pid) != os.getpgid(0)
