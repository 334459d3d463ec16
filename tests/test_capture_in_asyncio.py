"""A capture in asyncio: nothing is lost, nothing polls, and other tasks get their turns."""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop
from support.batches import consecutive, numbers
from support.loads import HOLDABLE_RATE, RING

from xdplab import Capture, ConfigurationError, Lab, Traffic

PATIENCE = 30
COUNT = 2000  # less than a ring

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine, but not for ever, in each kind of loop."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    def within(task: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(asyncio.wait_for(task, PATIENCE))

    return within


def traffic_of(lab: Lab, count: int = COUNT) -> Traffic:
    return Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=count)


async def taken(capture: AsyncIterator[Any] | Capture, count: int = COUNT) -> list[int]:
    found: list[int] = []
    async for batch in capture:
        found += numbers(batch)
        if len(found) >= count:
            break
    return found


def test_every_packet_comes_once_and_in_order(lab: Lab, run: Run) -> None:
    with Capture(lab.port, ring_size=RING) as capture, traffic_of(lab):
        assert consecutive(run(taken(capture)), COUNT)


def test_a_loop_ends_when_the_capture_is_closed(lab: Lab, run: Run) -> None:
    capture = Capture(lab.port)

    async def main() -> list[int]:
        task = asyncio.create_task(taken(capture))
        await asyncio.sleep(0.1)
        capture.close()
        return await task

    assert run(main()) == []


def test_another_thread_may_close_it(lab: Lab, run: Run) -> None:
    capture = Capture(lab.port)
    closing = threading.Timer(0.2, capture.close)
    closing.start()
    assert run(taken(capture)) == []
    closing.join()


def test_a_wait_can_be_cancelled_and_begun_again(lab: Lab, run: Run) -> None:
    async def main() -> list[int]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await taken(capture)
        with traffic_of(lab):
            return await taken(capture)

    with Capture(lab.port, ring_size=RING) as capture:
        assert consecutive(run(main()), COUNT)


def test_one_task_waits_for_a_queue(lab: Lab, run: Run) -> None:
    async def main() -> None:
        first = asyncio.create_task(taken(capture))
        await asyncio.sleep(0.05)
        with pytest.raises(ConfigurationError, match="another task waits"):
            await taken(capture)
        first.cancel()

    with Capture(lab.port) as capture:
        run(main())


def test_who_takes_its_time_gets_what_the_ring_kept(lab: Lab, run: Run) -> None:
    async def main() -> list[int]:
        found = []
        async for batch in capture:
            found += numbers(batch)
            await asyncio.sleep(0.001)
            if len(found) >= COUNT:
                break
        return found

    with Capture(lab.port, ring_size=RING) as capture, traffic_of(lab):
        assert consecutive(run(main()), COUNT)


def test_nothing_polls_while_nothing_comes(lab: Lab, run: Run) -> None:
    async def main() -> int:
        task = asyncio.create_task(taken(capture))
        await asyncio.sleep(0.1)
        before = capture.telemetry.counters()["empty_polls"]
        await asyncio.sleep(0.5)
        capture.refresh()
        task.cancel()
        return int(capture.telemetry.counters()["empty_polls"] - before)

    with Capture(lab.port) as capture:
        assert run(main()) <= 1


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes")
    await writer.drain()
    writer.close()


def get(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/")
    return connection.getresponse().read()


def test_two_captures_a_server_and_a_timer_share_a_loop(lab: Lab, other: Lab, run: Run) -> None:
    count = 5000  # less than a ring

    async def main() -> tuple[list[list[int]], list[float], bytes]:
        late: list[float] = []

        async def tick() -> None:
            while True:
                due = time.monotonic() + 0.01
                await asyncio.sleep(0.01)
                late.append(time.monotonic() - due)

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        ticking = asyncio.create_task(tick())
        receiving = [asyncio.create_task(taken(each, count)) for each in captures]
        for each in traffics:
            each.start()
        port = server.sockets[0].getsockname()[1]
        page = await asyncio.to_thread(get, port)
        found = await asyncio.gather(*receiving)
        ticking.cancel()
        server.close()
        return found, late, page

    labs = (lab, other)
    captures = [Capture(each.port, ring_size=1 << 13) for each in labs]
    traffics = [Traffic(each.peer, each.port, rate=count, count=count) for each in labs]
    try:
        found, late, page = run(main())
    finally:
        for made in (*traffics, *captures):
            made.close()
    assert page == b"yes"
    assert all(consecutive(each, count) for each in found)
    # How late is a measurement (docs/packets.md); that the timer ran all along is a fact.
    assert len(late) > 5
