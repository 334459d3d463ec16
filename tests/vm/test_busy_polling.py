"""Busy polling on a real driver: a worker that drives its NAPI is interrupted less."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from support.cards import Cards, opened, wait_for_carrier
from support.waiting import eventually

from xdplab import Engine
from xdplab.telemetry.interrupts import InterruptCounts

PORT = 4712  # which no one else sends to
COUNT = 300
APART = 0.003  # s
DEFERRED = {"defer_hard_irqs": 1000, "gro_flush_timeout": 100_000_000}
SUSPENDED = {"irq_suspend_timeout": 1_000_000_000}
DRIVERS = {"busy-poll": 0.5, "uring-napi": 0.5, "epoll-napi": 0.9, "irq-suspend": 0.9}
"""Strategies, and the most interrupts that each has of those with poll."""


@pytest.fixture
def engine(cards: Cards, release: tuple[int, int]) -> Iterator[Engine]:
    """Have an engine whose socket knows its NAPI, and which may set that."""
    since = cards.card.zero_copy_since
    if since is None or release < max(since, (6, 13)):
        pytest.skip("no zero-copy, or no NAPI to be set, in this kernel")
    with opened(cards, "zero-copy", match=f"udp port {PORT}") as made:
        wait_for_carrier(cards)
        if not made.interface.now().interrupts | made.interface.interrupts:
            pytest.skip("the interrupts of such a device are not known")
        yield made


def counted(engine: Engine, cards: Cards) -> InterruptCounts:
    """Let datagrams come one by one; return the interrupts and softirqs of that time."""

    def received() -> int:
        return int(engine.telemetry.total()["rx_packets"])

    before = received()
    numbers = engine.interface.now().interrupts | engine.interface.interrupts
    with cards.second.socket() as sender:
        begun = InterruptCounts.read(numbers)
        for _ in range(COUNT):
            sender.sendto(bytes(18), (cards.first.ipv4, PORT))
            time.sleep(APART)
        assert eventually(lambda: received() == before + COUNT), received()
        return InterruptCounts.read(numbers).since(begun)


@pytest.mark.filterwarnings("ignore:wait=.* is ineffective here")
@pytest.mark.parametrize("wait", DRIVERS)
def test_a_worker_that_drives_its_napi_is_interrupted_less(
    engine: Engine, cards: Cards, wait: str
) -> None:
    engine.wait = "poll"
    sleeping = counted(engine, cards)
    for name, value in (DEFERRED | SUSPENDED).items():
        setattr(engine.napi, name, value)
    engine.busy_poll_microseconds = 10_000
    engine.wait = wait
    driving = counted(engine, cards)
    print(f"{wait}: interrupts {driving.device}, with poll {sleeping.device}")
    print(f"{wait}: softirqs {driving.softirqs}, with poll {sleeping.softirqs}")
    assert sleeping.device is not None
    assert driving.device is not None
    assert wait not in engine.wait_ineffective
    assert driving.device < sleeping.device * DRIVERS[wait]
