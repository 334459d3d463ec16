"""However frames are laid out in memory, the packets in them are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_capture import DEEP_RING, HOLDABLE_RATE, eventually

from xdplab import ConfigurationError, Engine, KernelError, Lab, Ledger, Traffic

_RESERVED = Path("/proc/sys/vm/nr_hugepages")

LAYOUTS: list[dict[str, Any]] = [
    {"frame_size": 4096},
    {"headroom": 128},
    {"frame_size": 4096, "headroom": 1024},
    {"unaligned": True},
    {"unaligned": True, "frame_size": 3000},
    {"unaligned": True, "frame_size": 2504, "headroom": 200},
    {"huge_pages": "auto"},
]


def _title(layout: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in layout.items())


@pytest.fixture
def reserved_pages() -> Iterator[None]:
    """Set some huge pages aside, and give them back."""
    before = _RESERVED.read_text()
    try:
        _RESERVED.write_text(str(int(before) + 8))
    except OSError as error:
        pytest.skip(f"can't set huge pages aside: {error}")
    try:
        free = re.search(r"HugePages_Free:\s+(\d+)", Path("/proc/meminfo").read_text())
        if free is None or int(free[1]) < 8:
            pytest.skip("memory is too scattered for huge pages")
        yield
    finally:
        _RESERVED.write_text(before)


@pytest.mark.parametrize("layout", LAYOUTS, ids=_title)
def test_in_every_layout_all_frames_arrive_in_order(lab: Lab, layout: dict[str, Any]) -> None:
    # More frames than the UMEM has, so that each goes round.
    with Engine(lab.port, ring_size=1 << 13, inspect=True, **layout) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 4, count=50_000)
        ledger = Ledger(engine, traffic)
        assert traffic.start().wait(30)
        assert ledger.settle().balanced
        counters = engine.telemetry.counters()
    assert counters["stream_frames"] == 50_000
    assert counters["stream_missing"] == counters["stream_late"] == 0
    assert counters["rx_invalid_descs"] == 0


@pytest.mark.parametrize("layout", LAYOUTS, ids=_title)
def test_in_every_layout_packets_are_answered_and_joined(
    privileged: None, layout: dict[str, Any]
) -> None:
    with Lab() as one, Lab(number=1) as other:
        with Engine(one.port, action="echo", ring_size=64, **layout) as engine:
            for size in (0, 1400):
                assert one.peer.ping(one.port.ipv4, count=100, size=size).received == 100
            assert engine.telemetry.counters()["tx_invalid_descs"] == 0
        with Engine(one.port, forward_to=other.port, ring_size=64, **layout) as engine:
            assert one.peer.ping(other.peer.ipv4, count=200, size=1400).received == 200
            assert engine.telemetry.total()["tx_invalid_descs"] == 0


@pytest.mark.parametrize("layout", LAYOUTS, ids=_title)
def test_in_every_layout_a_sample_has_the_bytes_of_its_frame(
    lab: Lab, layout: dict[str, Any]
) -> None:
    message = bytes(range(256)) * 5
    with (
        Engine(lab.port, sample_every=1, sample_bytes=2048, **layout) as engine,
        lab.peer.socket() as udp,
    ):
        udp.sendto(message, (lab.port.ipv4, 4000))
        assert eventually(lambda: len(engine.telemetry.samples()[0]) == 1)
        (sample,), _ = engine.telemetry.samples()
    assert bytes(sample["bytes"][: sample["captured"]]).endswith(message)


def test_huge_pages_are_taken_where_some_were_set_aside(lab: Lab, reserved_pages: None) -> None:
    for wish in (True, "auto"):
        with Engine(lab.port, huge_pages=wish, inspect=True) as engine:
            assert engine.huge_pages
            assert Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 10, count=5000).start().wait(10)
            assert eventually(lambda: engine.telemetry.counters()["stream_frames"] == 5000)
    with Engine(lab.port) as engine:
        assert not engine.huge_pages


def test_too_few_huge_pages_name_the_setting_that_has_more(lab: Lab) -> None:
    with pytest.raises(KernelError, match=r"ENOMEM.*sysctl vm\.nr_hugepages"):
        Engine(lab.port, huge_pages=True, ring_size=DEEP_RING, frame_size=4096)
    with Engine(lab.port, huge_pages="auto", ring_size=DEEP_RING, frame_size=4096) as engine:
        assert not engine.huge_pages


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"frame_size": 2050, "unaligned": True}, "multiples of 8"),
        ({"headroom": 4}, "multiples of 8"),
        ({"headroom": 1792}, "headroom=1792 must be a whole number, 0 to 1784"),
        ({"headroom": -8}, "headroom=-8 must be"),
        ({"huge_pages": "yes"}, "must be True, False or 'auto'"),
    ],
)
def test_layouts_that_can_not_work_are_refused(
    lab: Lab, wrong: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(remedy)):
        Engine(lab.port, **wrong)


@pytest.mark.parametrize("frame_size", [2040, 4104])
def test_unaligned_frames_have_bounds_too(lab: Lab, frame_size: int) -> None:
    with pytest.raises(KernelError, match=r"EINVAL.*unaligned=True"):
        Engine(lab.port, unaligned=True, frame_size=frame_size)
