"""Busy polling on a real driver: a worker or a thread that drives its NAPI is interrupted less."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

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


def cpu_seconds(thread: int) -> float:
    """Return the CPU time that a thread has taken, in user and kernel mode."""
    fields = Path(f"/proc/{thread}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_kernel_thread_that_busy_polls_runs_without_a_pause(
    engine: Engine, cards: Cards, release: tuple[int, int]
) -> None:
    # QEMU's igb interrupts for each packet all the same: it does not mask the interrupt meanwhile.
    if release < (6, 19):
        pytest.skip("no thread that busy-polls in this kernel")
    engine.napi.threaded = "busy-poll"
    instances = engine.napi.read()
    threads = [napi.thread for napi in instances if napi.thread is not None]
    names = [Path(f"/proc/{thread}/comm").read_text().strip() for thread in threads]
    assert names == [f"napi/card0-{napi.id}" for napi in instances]
    counted(engine, cards)  # from its first packet on, a queue's thread is awake
    before = [cpu_seconds(thread) for thread in threads]

    def ran() -> list[float]:
        return [cpu_seconds(n) - then for n, then in zip(threads, before, strict=True)]

    assert eventually(lambda: max(ran()) > 0.5), ran()  # and no packet comes
    engine.napi.restore()
    assert engine.napi.threaded is False
    assert eventually(lambda: not any(Path(f"/proc/{thread}").exists() for thread in threads))
    counted(engine, cards)
