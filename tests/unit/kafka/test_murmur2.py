from __future__ import annotations

import pytest

from pipeline.kafka.murmur2 import murmur2, partition


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_values_of_javas_client(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed & 0xFFFFFFFF


def test_a_text_is_its_utf8() -> None:
    assert partition("süd", 8) == partition("süd".encode(), 8)
    assert {partition(f"domain-{n}", 8) for n in range(200)} == set(range(8))
