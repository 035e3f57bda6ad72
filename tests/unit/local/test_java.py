from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.local import java
from pipeline.local.java import Jar, JavaUnavailable
from pipeline.resources import shipped


def lock_of(path: Path, **jars: bytes) -> Path:
    lines = [f"{hashlib.sha256(content).hexdigest()}  org.test:{name}:1.0" for name, content in jars.items()]
    path.write_text("# a lock\n" + "\n".join(lines) + "\n")
    return path


def test_the_shipped_lock_sums_every_jar_of_the_broker() -> None:
    jars = java.read_lock(shipped("infra") / "kafka" / "jars.lock")
    kafka = [jar for jar in jars if jar.artifact == "kafka_2.13"]
    assert [jar.version for jar in kafka] == ["4.3.1"]
    assert all(len(jar.sha256) == 64 for jar in jars)
    # One version of Kafka: a mixture starts and fails later.
    assert {jar.version for jar in jars if jar.group == "org.apache.kafka"} == {"4.3.1"}


def test_cached_jars_are_given_in_the_order_of_the_lock(tmp_path: Path) -> None:
    cache = tmp_path / "jars"
    cache.mkdir()
    (cache / "b-1.0.jar").write_bytes(b"B")
    (cache / "a-1.0.jar").write_bytes(b"A")
    lock = lock_of(tmp_path / "jars.lock", b=b"B", a=b"A")
    assert java.jars(lock, tmp_path) == [cache / "b-1.0.jar", cache / "a-1.0.jar"]


def test_a_tampered_jar_is_refused_by_name(tmp_path: Path) -> None:
    cache = tmp_path / "jars"
    cache.mkdir()
    (cache / "a-1.0.jar").write_bytes(b"A")
    (cache / "b-1.0.jar").write_bytes(b"B and something else")
    lock = lock_of(tmp_path / "jars.lock", a=b"A", b=b"B")
    with pytest.raises(JavaUnavailable, match=r"org\.test:b:1\.0 is not the jar that was locked") as failure:
        java.jars(lock, tmp_path)
    assert str(cache / "b-1.0.jar") in str(failure.value)


def test_a_download_with_a_wrong_sum_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(context: object, jar: Jar) -> Path:
        got = tmp_path / "downloaded"
        got.write_bytes(b"not what was locked")
        return got

    monkeypatch.setattr(java, "_download", download)
    lock = lock_of(tmp_path / "jars.lock", a=b"A")
    with pytest.raises(JavaUnavailable, match=r"org\.test:a:1\.0 as downloaded"):
        java.jars(lock, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_a_line_that_is_no_sum_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text("# comment\nabc org.test:a:1.0\n")
    with pytest.raises(JavaUnavailable, match=r"jars\.lock:2"):
        java.read_lock(lock)


def test_packaging_and_classifier_make_the_file_name(tmp_path: Path) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text(f"{'0' * 64}  io.test:app:3.0:tar.gz:all\n{'0' * 64}  io.test:lib:1\n")
    assert [jar.file for jar in java.read_lock(lock)] == ["app-3.0-all.tar.gz", "lib-1.jar"]


def test_the_cache_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_CACHE", str(tmp_path))
    assert java.cache_directory() == tmp_path
