"""A real Apache Kafka broker on this machine: one KRaft node, bound to 127.0.0.1.

Everything it keeps lies in one directory, its ports too, so that clients that know
its address find it again after a restart.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import secrets
import socket
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BrokerUnavailable
from ..resources import shipped
from . import java, ports, processes

log = logging.getLogger(__name__)

VERSION = "4.3.1"
HEAP = "512m"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
ADDRESS_IN_USE = "Address already in use"
# Serial collection: with so small a heap its pauses are short, and it needs no threads of its own.
# The quick compiler only: the thorough one takes six seconds of processor time from the roles until
# it pays, which is after a few hundred thousand records.
JVM = (
    f"-Xmx{HEAP}",
    "-Xms96m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
)
# With eligible leader replicas a kill -9 empties every in-sync set, and the only copy of a
# partition becomes its leader again by an unclean election.
FEATURES = ("--feature", "eligible.leader.replicas.version=0")
QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")


@dataclass(slots=True)
class Broker:
    """A running broker; ``bootstrap`` is what its clients connect to."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def bootstrap(self) -> str:
        """``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The id of the broker's process."""
        return self.process.pid

    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process.poll() is None

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Stops it cleanly, or by force at the time-out; what it acknowledged is on disk."""
        if not processes.stop(self.process, timeout):
            log.warning("the broker did not stop within %.0f s and was killed", timeout)

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self.process.kill()
        self.process.wait()


def start(directory: Path, *, port: int | None = None, timeout: float = START_TIMEOUT) -> Broker:
    """Starts a broker on the data in ``directory`` (made and formatted when new); returns once it answers.

    ``port``: where to listen; by default where it listened last, else a free one. Call it
    from the main thread: the broker is killed when the thread that started it ends.
    Raises ``BrokerUnavailable`` with the end of its log, ``JavaUnavailable`` for jars or runtime.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    program = prepare()
    last = _last_ports(directory)
    with _sole_owner(directory) as lock:
        for attempt in range(3):
            listen = _choose(port, last if attempt == 0 else None)
            try:
                return _launch(directory, program, listen, timeout, lock)
            except BrokerUnavailable as error:
                # Between choosing a port and binding it another process may take it.
                if port is not None or attempt == 2 or ADDRESS_IN_USE not in str(error):
                    raise
                log.info("port %d was taken meanwhile; trying another", listen[0])
    raise AssertionError("unreachable")


def prepare() -> list[str]:
    """The command that runs the broker, its jars fetched and its start-up archive made.

    The archive holds the classes as the JVM has them after a start, which halves the time
    of every later one. Raises ``JavaUnavailable``; an archive that cannot be made is only slower.
    """
    runtime = java.runtime()
    jars = java.jars(shipped("infra") / "kafka" / "jars.lock")
    program = [str(runtime), *JVM, "-cp", ":".join(map(str, jars))]
    archive = java.cache_directory() / f"kafka-{VERSION}-{_fingerprint(runtime, jars)}.aot"
    if not archive.is_file():
        _train(program, archive)
    return [*program, *QUIET, f"-XX:AOTCache={archive}"] if archive.is_file() else [*program, *QUIET]


@contextlib.contextmanager
def _sole_owner(directory: Path) -> Iterator[int]:
    """Locks ``directory``; the broker inherits the lock and holds it as long as it lives.

    Kafka's own lock comes too late: by then a second broker has written to the first one's
    quorum state, and the first can no longer stop cleanly.
    """
    with (directory / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BrokerUnavailable(
                f"another broker is running on {directory} and holds its lock; "
                "stop it (faultline down) or choose another data directory"
            ) from error
        yield file.fileno()


def _launch(
    directory: Path, program: Sequence[str], listen: tuple[int, int], timeout: float, lock: int | None = None
) -> Broker:
    properties = _write_properties(directory, listen)
    output, journal = directory / "broker.out", directory / "broker.log"
    output.unlink(missing_ok=True)
    command = [*program, f"-Dfaultline.log={journal}", _log4j()]
    _format(directory, command, properties)
    size = journal.stat().st_size if journal.exists() else 0
    process = processes.spawn(
        [*command, "kafka.Kafka", properties],
        output=output,
        directory=directory,
        keep=() if lock is None else (lock,),
    )
    broker = Broker(directory, listen[0], process)
    try:
        _await(broker, timeout)
    except BaseException as error:
        if process.poll() is None:
            broker.kill()
        if isinstance(error, BrokerUnavailable):
            raise BrokerUnavailable(f"{error}\n{_last_words(journal, size, output)}") from None
        raise
    _write_whole(directory / "ports.json", json.dumps({"broker": listen[0], "controller": listen[1]}))
    return broker


def _await(broker: Broker, timeout: float) -> None:
    # Imported while the broker starts: it takes a tenth of a second.
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    end = time.monotonic() + timeout
    while True:
        if (code := broker.process.poll()) is not None:
            raise BrokerUnavailable(
                f"the Kafka broker in {broker.directory} ended while starting ({processes.describe(code)}); "
                "the end of its log:"
            )
        if time.monotonic() > end:
            raise BrokerUnavailable(
                f"the Kafka broker in {broker.directory} did not answer on {broker.bootstrap} "
                f"within {timeout:.0f} s; the end of its log:"
            )
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", broker.port), 1):
            break
        time.sleep(0.02)
    client = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    while True:
        with contextlib.suppress(KafkaException):
            # Another process may have got the port; only our own broker's death tells.
            if client.list_topics(timeout=1).brokers and broker.alive():
                return
        if not broker.alive() or time.monotonic() > end:
            raise BrokerUnavailable(
                f"the Kafka broker in {broker.directory} does not answer on {broker.bootstrap}; "
                "the end of its log:"
            )


def _format(directory: Path, command: Sequence[str], properties: Path) -> None:
    if (directory / "data" / "meta.properties").exists():
        return
    # The first bit is 0, for the tool takes an id that starts with a dash for an option.
    random = bytes([secrets.randbelow(128)]) + secrets.token_bytes(15)
    cluster = urlsafe_b64encode(random).decode().rstrip("=")
    arguments = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties), *FEATURES]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BrokerUnavailable(
            f"the data directory {directory / 'data'} cannot be formatted for Kafka: "
            f"{(done.stderr or done.stdout).strip()[-2000:]}"
        )


def _write_properties(directory: Path, listen: tuple[int, int]) -> Path:
    broker, controller = listen
    own = {
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        # Named here, not in the metadata log, so that the port may change at a restart.
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(directory / "data"),
    }
    shared = (shipped("infra") / "kafka" / "server.properties").read_text(encoding="utf-8")
    path = directory / "server.properties"
    _write_whole(path, shared + "\n" + "".join(f"{name}={value}\n" for name, value in own.items()))
    return path


def _train(program: Sequence[str], archive: Path) -> None:
    """Starts and stops a broker once, recording what it loads."""
    started = time.monotonic()
    log.info("preparing the broker's start-up archive, once")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".train-", dir=archive.parent) as scratch:
        fresh = Path(scratch) / archive.name
        recording = [*program, *QUIET, f"-XX:AOTCacheOutput={fresh}"]
        directory = Path(scratch) / "broker"
        directory.mkdir()
        try:
            command = [*program, *QUIET, f"-Dfaultline.log={directory / 'format.log'}", _log4j()]
            listen = _choose(None, None)
            _format(directory, command, _write_properties(directory, listen))
            broker = _launch(directory, recording, listen, START_TIMEOUT)
            broker.stop(60.0)  # the archive is written at the end
            fresh.replace(archive)
        except (OSError, BrokerUnavailable) as error:
            log.warning("no start-up archive for the broker, it will start more slowly: %s", error)
            return
    log.info("start-up archive made in %.1f s", time.monotonic() - started)


def _fingerprint(runtime: Path, jars: Sequence[Path]) -> str:
    """Changes with whatever makes the JVM refuse an archive: itself, its options, a jar's size or time."""
    facts = [str(runtime), str(os.stat(runtime).st_mtime_ns), *JVM]
    facts += [f"{jar}:{jar.stat().st_size}:{jar.stat().st_mtime_ns}" for jar in jars]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _log4j() -> str:
    return f"-Dlog4j2.configurationFile={shipped('infra') / 'kafka' / 'log4j2.properties'}"


def _last_words(journal: Path, size: int, output: Path) -> str:
    said = processes.tail(journal) if journal.exists() and journal.stat().st_size > size else ""
    return "\n".join(part for part in (said, processes.tail(output)) if part) or "(it said nothing)"


def _last_ports(directory: Path) -> tuple[int, int] | None:
    try:
        kept = json.loads((directory / "ports.json").read_text(encoding="utf-8"))
        return int(kept["broker"]), int(kept["controller"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _choose(port: int | None, last: tuple[int, int] | None) -> tuple[int, int]:
    """Where to listen: the wished port and the last ones as far as they are free."""
    if port is not None and not ports.is_free(port):
        raise BrokerUnavailable(f"port {port} of 127.0.0.1 is taken by another process")
    if last is not None and port is None and ports.is_free(last[0]):
        port = last[0]
    controller = last[1] if last is not None and ports.is_free(last[1]) else ports.free()
    return port or ports.free(), controller


def _write_whole(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
