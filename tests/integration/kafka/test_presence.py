"""A second worker of one name is refused; one that comes back after a kill is not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from confluent_kafka import Producer

from pipeline.errors import NameTaken
from pipeline.kafka import topics
from pipeline.kafka.presence import here, refuse_second


@pytest.fixture
def speaking(broker):
    """Has ``executor/NAME`` say that it is ``who``, once or for as long as the test lasts."""
    topics.ensure(broker.bootstrap, partitions=1)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0})
    ends: list[threading.Event] = []

    def say(name, who):
        value = None if who is None else json.dumps({"role": "executor", "instance": name, **who})
        producer.produce("roles.status", value, f"executor/{name}")
        producer.flush(10)

    def start(name, who, again=False):
        say(name, who)
        end = threading.Event()

        def go_on():
            while not end.wait(0.3):
                say(name, who)

        if again:
            ends.append(end)
            threading.Thread(target=go_on).start()

    yield start
    for end in ends:
        end.set()


def test_whoever_goes_on_speaking_keeps_the_name(broker, speaking, unique):
    name = unique("worker")
    speaking(name, {"pid": 1, "host": "elsewhere"}, again=True)
    with pytest.raises(
        NameTaken, match=rf"another executor worker is called '{name}' \(pid 1 on elsewhere\)"
    ):
        refuse_second(broker.bootstrap, "executor", name)
    # The name is one of a role.
    refuse_second(broker.bootstrap, "workflow", name)
    refuse_second(broker.bootstrap, "executor", f"{name}-2")


@pytest.mark.parametrize("who", ["nobody", "elsewhere", "said good-bye", "dead", "this very process"])
def test_whoever_is_gone_does_not(broker, speaking, unique, who):
    name = unique("worker")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait(20)
    if who != "nobody":
        speaking(
            name,
            {
                "elsewhere": {"pid": 1, "host": "elsewhere"},
                "said good-bye": None,
                "dead": {"pid": child.pid, "host": socket.gethostname()},
                "this very process": here(),
            }[who],
        )
    began = time.monotonic()
    refuse_second(broker.bootstrap, "executor", name)
    # Only one that may live elsewhere has to be waited for.
    assert (time.monotonic() - began >= 1.5) == (who == "elsewhere")


def test_one_that_lives_here_is_heard_out(broker, speaking, unique):
    name = unique("worker")
    speaking(name, {"pid": os.getppid(), "host": socket.gethostname()}, again=True)
    with pytest.raises(NameTaken, match=str(os.getppid())):
        refuse_second(broker.bootstrap, "executor", name)
