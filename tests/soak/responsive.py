"""An asyncio program with an HTTP server, a timer and captures: how late it is beside packets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from soak.rounds import UnbalancedError
from xdplab import Capture, Lab, Traffic
from xdplab.ledger.ledger import Ledger

_TICK_SECONDS = 0.01
_RING = 8192
_PAGE = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes"
_REQUEST = b"GET / HTTP/1.0\r\n\r\n"


@dataclass(frozen=True)
class Figures:
    """What the program did while packets came."""

    seconds: float
    packets: int
    """Received by all captures."""
    lost: int
    """As the ledgers count."""
    late: Sequence[float]
    """Seconds by which each tick of the timer was late."""
    pages: Sequence[float]
    """Seconds that each request took, one after the other."""

    def __str__(self) -> str:
        def percentiles(seconds: Sequence[float]) -> str:
            p50, p99, most = np.percentile(seconds, [50, 99, 100]) * 1e3
            return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, most {most:.2f} ms"

        return (
            f"{self.packets / self.seconds:,.0f} packets a second received for {self.seconds:.1f} "
            f"s, {self.lost:,} lost\n"
            f"timer late ({len(self.late):,} ticks): {percentiles(self.late)}\n"
            f"page fetched ({len(self.pages):,} times): {percentiles(self.pages)}"
        )


Runner = Callable[[Coroutine[Any, Any, Figures]], Figures]


def run(
    captures: int,
    rate: float | str,
    seconds: float,
    least: int,
    runner: Runner = asyncio.run,
) -> Figures:
    """Run the program while packets come.

    Parameters
    ----------
    captures
        How many, each in a lab with a generator of its own.
    rate
        Packets a second of each generator.
    seconds, least
        How long at least, and how many ticks and pages at least.
    runner
        Runs a coroutine.

    Raises
    ------
    UnbalancedError
        When packets are missing that no ledger counts as lost.
    """
    with ExitStack() as stack:
        labs = [stack.enter_context(Lab(number=number)) for number in range(captures)]
        opened = [stack.enter_context(Capture(lab.port, ring_size=_RING)) for lab in labs]
        traffics = [Traffic(lab.peer, lab.port, rate=rate) for lab in labs]
        for traffic in traffics:
            stack.callback(traffic.close)
        ledgers = [
            capture.ledger(traffic) for capture, traffic in zip(opened, traffics, strict=True)
        ]
        return runner(_run(opened, traffics, ledgers, seconds, least))


async def _run(
    captures: Sequence[Capture],
    traffics: Sequence[Traffic],
    ledgers: Sequence[Ledger],
    seconds: float,
    least: int,
) -> Figures:
    late: list[float] = []
    pages: list[float] = []
    found = [0] * len(captures)

    async def receive(number: int) -> None:
        async for batch in captures[number]:
            found[number] += len(batch)
            np.ma.getdata(batch["udp.dport"]).sum()

    async def tick() -> None:
        due = time.monotonic()
        while True:
            due += _TICK_SECONDS
            await asyncio.sleep(due - time.monotonic())
            late.append(time.monotonic() - due)

    async def fetch(port: int) -> None:
        while True:
            begun = time.monotonic()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with closing(writer):
                writer.write(_REQUEST)
                if await reader.read() != _PAGE:
                    raise UnbalancedError("the server gave another page")
            pages.append(time.monotonic() - begun)
            await asyncio.sleep(_TICK_SECONDS)

    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receiving = [asyncio.create_task(receive(number)) for number in range(len(captures))]
    beside = [asyncio.create_task(tick()), asyncio.create_task(fetch(port))]
    begun = time.monotonic()
    for traffic in traffics:
        traffic.start()
    while time.monotonic() < begun + seconds or min(len(late), len(pages)) < least:
        await asyncio.wait([*receiving, *beside], timeout=_TICK_SECONDS)
        for task in (*receiving, *beside):
            if task.done():
                task.result()  # raises what ended it
    lasted = time.monotonic() - begun
    counts = len(late), len(pages)
    for traffic in traffics:
        await asyncio.to_thread(traffic.stop)
    accounts = [await asyncio.to_thread(ledger.settle) for ledger in ledgers]
    for task in beside:
        task.cancel()
    for capture in captures:
        capture.close()
    await asyncio.gather(*receiving)
    await asyncio.gather(*beside, return_exceptions=True)
    server.close()
    await server.wait_closed()
    lost = sum(stage.packets for each in accounts for stage in each.stages if stage.lost)
    sent = sum(traffic.sent for traffic in traffics)
    if any(each.unaccounted for each in accounts) or sent != sum(found) + lost:
        raise UnbalancedError(f"{sent:,} sent, {sum(found):,} came, {lost:,} lost: {accounts}")
    return Figures(lasted, sum(found), lost, late[: counts[0]], pages[: counts[1]])


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_PAGE)
        await writer.drain()
