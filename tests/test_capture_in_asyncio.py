"""A capture in asyncio: nothing is lost, nothing polls, and other tasks get their turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop
from soak.responsive import run as share_a_loop
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
    assert run(taken(capture)) == []  # as a plain loop


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


def test_two_captures_a_server_and_a_timer_share_a_loop(privileged: None, run: Run) -> None:
    # How late the timer is, is a measurement (docs/measurements.md); that all go on is a fact, and
    # what does not come must be in the ledgers.
    figures = share_a_loop(captures=2, rate=5000, seconds=0, least=20, runner=run)
    assert figures.packets > 0
    assert len(figures.late) >= 20
    assert len(figures.pages) >= 20
