"""A worker that is slowed or stepped: each frame seen in each ring, and none lost for it."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import numpy as np
import pytest
from support.loads import DEEP_RING, HOLDABLE_RATE, WIRE
from support.rings import all_at_rest
from support.waiting import eventually

from xdplab import WAIT_STRATEGIES, ConfigurationError, Engine, Lab, Ledger, Stream, Traffic

# Some strategies can do nothing on veth, and say so; they deliver nonetheless.
pytestmark = pytest.mark.filterwarnings("ignore:.* is ineffective here")

RINGS = ("fill", "rx", "tx", "completion")
SLEEPERS = (
    *("poll", "epoll", "epoll-napi", "irq-suspend"),
    *("uring-oneshot", "uring-multishot", "uring-napi", "adaptive"),
)
FRAME = 2048  # bytes, unless told otherwise
PATIENCE = 30.0  # seconds: the machine may be busy


def send(lab: Lab, count: int) -> None:
    with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 2, count=count) as traffic:
        assert traffic.wait(30)


def waiting(rings: Any, ring: str) -> list[int]:
    """Return the numbers of the frames that wait in a ring, oldest first."""
    entries = rings[ring]
    size = int(rings["ring_size"]) * (2 if ring == "fill" else 1)
    positions = range(int(rings[f"{ring}_consumer"]), int(rings[f"{ring}_producer"]))
    return [int(entries[position % size]) // FRAME for position in positions]


def homes(engine: Engine, frame: int) -> list[str]:
    """Return the rings in which a frame waits."""
    rings = engine.telemetry.rings()
    return [ring for ring in RINGS if frame in waiting(rings, ring)]


def hold(engine: Engine, ring: str, count: int) -> bool:
    """Tell whether a ring comes to hold so many entries."""
    return eventually(lambda: len(waiting(engine.telemetry.rings(), ring)) == count)


def step(engine: Engine, turns: int = 1) -> None:
    """Take turns, and wait until they were taken."""
    before = int(engine.telemetry.rings()["turns"])
    engine.step(turns)
    assert eventually(lambda: engine.telemetry.rings()["turns"] == before + turns)


def paused(lab: Lab, **options: Any) -> Engine:
    engine = Engine(lab.port, **{"ring_size": 64, "batch": 1, "action": "reflect"} | options)
    engine.pace = math.inf
    return engine


@pytest.mark.kernel  # a wire that has just been busy takes what is in a TX ring without a kick
def test_a_frame_goes_from_fill_to_rx_to_tx_to_completion_and_back(lab: Lab) -> None:
    with paused(lab) as engine:
        assert hold(engine, "fill", 128)
        first, second, *_ = waiting(engine.telemetry.rings(), "fill")
        send(lab, 2)
        assert hold(engine, "rx", 2)
        assert waiting(engine.telemetry.rings(), "rx") == [first, second]
        assert (homes(engine, first), homes(engine, second)) == (["rx"], ["rx"])
        step(engine)
        assert (homes(engine, first), homes(engine, second)) == (["tx"], ["rx"])
        step(engine)
        assert eventually(lambda: homes(engine, first) == ["completion"])
        assert homes(engine, second) == ["tx"]
        step(engine)
        assert homes(engine, first) == ["fill"]
        assert waiting(engine.telemetry.rings(), "fill")[-1] == first
        assert eventually(lambda: homes(engine, second) == ["completion"])
        step(engine)
        assert waiting(engine.telemetry.rings(), "fill")[-2:] == [first, second]


def test_a_dropped_frame_goes_back_to_the_fill_ring_in_one_turn(lab: Lab) -> None:
    with paused(lab, action="drop") as engine:
        send(lab, 1)
        assert hold(engine, "rx", 1)
        (frame,) = waiting(engine.telemetry.rings(), "rx")
        step(engine)
        assert homes(engine, frame) == ["fill"]


def test_a_forwarded_frame_is_sent_by_the_other_port_and_comes_home(lab: Lab, other: Lab) -> None:
    with paused(lab, forward_to=other.port, action="forward") as engine:
        send(lab, 1)
        assert hold(engine, "rx", 1)
        (frame,) = waiting(engine.telemetry.rings(), "rx")
        step(engine)
        assert homes(engine, frame) == ["tx"]
        step(engine)
        assert eventually(lambda: homes(engine, frame) == ["completion"])
        step(engine)
        assert homes(engine, frame) == ["fill"]
        # The other worker has frames of its own.
        assert frame not in waiting(engine.telemetry.rings(1), "fill")


@pytest.mark.kernel  # which sends at a kick, and not before
def test_a_generator_sends_a_batch_a_turn(lab: Lab) -> None:
    with paused(lab, stream=Stream(lab.peer), action="generate", batch=4) as engine:
        step(engine)
        sent = waiting(engine.telemetry.rings(), "tx")
        assert len(sent) == len(set(sent)) == 4
        assert min(sent) >= 128  # the frames that it receives into are others
        step(engine)
        assert eventually(lambda: waiting(engine.telemetry.rings(), "completion") == sent)


def test_a_turn_takes_no_more_than_a_batch(lab: Lab) -> None:
    with paused(lab, batch=5) as engine:
        send(lab, 12)
        assert hold(engine, "rx", 12)
        for left in (7, 2, 0):
            step(engine)
            assert len(waiting(engine.telemetry.rings(), "rx")) == left


def test_a_stopped_pace_loses_only_what_the_rx_ring_has_no_room_for(lab: Lab) -> None:
    with paused(lab, inspect=True) as engine:
        send(lab, 64)
        assert hold(engine, "rx", 64)
        assert engine.telemetry.counters()["rx_packets"] == 0
        send(lab, 3)
        assert eventually(lambda: engine.telemetry.counters()["rx_ring_full"] == 3)
        engine.pace = 0
        assert eventually(lambda: engine.telemetry.counters()["stream_frames"] == 64)
        assert eventually(lambda: all_at_rest(engine))
        counters = engine.telemetry.counters()
    assert counters["rx_packets"] == counters["completion_consumer"] == 64
    assert counters["stream_missing"] == counters["stream_late"] == 0


def test_turns_are_a_pace_apart_at_least(lab: Lab) -> None:
    begun = time.monotonic()
    with Engine(lab.port) as engine:
        engine.pace = 0.02
        assert eventually(lambda: engine.telemetry.rings()["turns"] >= 5)
        turns = int(engine.telemetry.rings()["turns"])
    assert turns <= 1 + (time.monotonic() - begun) / 0.02


@pytest.mark.parametrize("before", [math.inf, 3600])
def test_a_shorter_pace_is_kept_from_the_next_turn_on(lab: Lab, before: float) -> None:
    with paused(lab) as engine:
        engine.pace = before
        step(engine)
        engine.pace = 0.001
        send(lab, 10)
        assert eventually(lambda: all_at_rest(engine))
        assert engine.telemetry.counters()["completion_consumer"] == 10


def test_steps_asked_for_while_stopped_or_running_freely_are_not_taken_later(lab: Lab) -> None:
    with paused(lab) as engine:
        step(engine)
        turns = int(engine.telemetry.rings()["turns"])
        engine.stop()
        engine.step(1000)
        engine.start()
        step(engine)
        engine.pace = 0
        engine.step(1000)
        now = time.monotonic_ns()
        assert eventually(lambda: engine.telemetry.counters()["time_ns"] > now)
        engine.pace = math.inf
        step(engine)
        send(lab, 3)
        assert hold(engine, "rx", 3)
        assert engine.telemetry.rings()["turns"] == turns + 2


def test_a_step_asked_for_right_after_the_pause_is_taken(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        for turns in range(1, 200):
            engine.pace = math.inf
            engine.step()
            assert eventually(lambda n=turns: engine.telemetry.rings()["turns"] == n)
            engine.pace = 0


@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_each_strategy_can_be_left_and_taken_up_around_a_pause(lab: Lab, wait: str) -> None:
    with Engine(
        lab.port, wait=wait, action="reflect", ring_size=DEEP_RING, batch=16, inspect=True
    ) as engine:
        engine.spin_microseconds = 0
        traffic = Traffic(lab.peer, lab.port, rate=4_000, count=4_000)
        ledger = Ledger(engine, traffic)
        with traffic:
            while traffic.running or not engine.telemetry.counters()["steps"]:
                for pace in (math.inf, 0.002, 0):
                    engine.pace = pace
                    engine.step(2)
                    time.sleep(0.05)
        engine.pace = 0
        account = ledger.settle(PATIENCE)
        assert eventually(lambda: all_at_rest(engine))
        counters = engine.telemetry.counters()
        assert engine.error is None
    lost = account.packets("wire full")  # before the worker's rings, by a machine that is busy
    assert account.balanced
    assert counters["stream_frames"] == 4_000 - lost
    assert counters["stream_missing"] <= lost
    assert counters["stream_late"] == 0


@pytest.mark.parametrize("wait", SLEEPERS)
def test_what_wakes_a_worker_still_does_after_a_pause_under_traffic(lab: Lab, wait: str) -> None:
    with paused(lab, wait=wait, ring_size=DEEP_RING, action="drop") as engine:
        engine.spin_microseconds = 0
        engine.pace = 0
        send(lab, 100)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 100)
        engine.pace = math.inf
        step(engine)  # so it does not wait any more, by whichever strategy
        with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=20_000) as traffic:
            assert traffic.wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_producer"] == 20_100)
        engine.pace = 0
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 20_100)
        before = engine.telemetry.counters()["wakeups"]
        send(lab, WIRE)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 20_100 + WIRE)
        assert eventually(lambda: engine.telemetry.counters()["wakeups"] > before)


def test_strategies_and_actions_switched_while_paced_lose_nothing(lab: Lab) -> None:
    dice = random.Random(1)
    with Engine(lab.port, ring_size=DEEP_RING, inspect=True) as engine:
        engine.pace = 0.0005
        traffic = Traffic(lab.peer, lab.port, rate=5_000, count=10_000)
        ledger = Ledger(engine, traffic)
        with traffic:
            while traffic.running:
                engine.wait = dice.choice(WAIT_STRATEGIES)
                engine.action = dice.choice(("drop", "reflect", "echo"))
                time.sleep(0.005)
        engine.pace = 0
        account = ledger.settle(PATIENCE)
        assert eventually(lambda: all_at_rest(engine))
        counters = engine.telemetry.counters()
    lost = account.packets("wire full")
    assert account.balanced
    assert counters["stream_frames"] == 10_000 - lost
    assert counters["stream_missing"] <= lost
    assert counters["stream_late"] == 0


def test_a_pause_survives_a_change_that_takes_new_sockets(lab: Lab) -> None:
    with paused(lab) as engine:
        ledger = engine.ledger()
        send(lab, 10)
        assert hold(engine, "rx", 10)
        engine.reconfigure(ring_size=32)
        assert engine.pace == math.inf
        # What waited was received first, and the new rings begin anew.
        assert engine.telemetry.counters()["rx_packets"] == 10
        assert eventually(lambda: engine.telemetry.rings()["ring_size"] == 32)
        assert waiting(engine.telemetry.rings(), "fill") == list(range(64))
        send(lab, 1)
        assert hold(engine, "rx", 1)
        step(engine, 2)
        assert eventually(lambda: homes(engine, 0) == ["completion"])
        step(engine)
        assert waiting(engine.telemetry.rings(), "fill") == [*range(1, 64), 0]
        account = ledger.settle(PATIENCE)
    assert account.balanced
    assert account.packets("received by the worker") == 11


def test_the_ledger_counts_what_waits_for_a_paused_worker(lab: Lab) -> None:
    with paused(lab) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=1_000, count=20)
        ledger = Ledger(engine, traffic)
        assert traffic.start().wait(30)
        assert hold(engine, "rx", 20)
        step(engine, 5)
        account = ledger.settle(0.5)  # it never does
        assert account.balanced
        assert account.packets("received by the worker") == 5
        assert account.packets("waiting in the RX ring") == 15
        engine.pace = 0
        account = ledger.settle(PATIENCE)
    assert account.balanced
    assert account.packets("received by the worker") == 20


def test_rings_of_a_worker_that_runs_freely_or_is_stopped_are_shown_too(lab: Lab) -> None:
    with Engine(lab.port, ring_size=64) as engine:
        send(lab, 50)
        assert eventually(lambda: engine.telemetry.rings()["rx_consumer"] == 50)
        assert hold(engine, "fill", 128)
        engine.stop()
        send(lab, 7)

        def held() -> tuple[int, int]:
            engine.refresh()
            rings = engine.telemetry.rings()
            return len(waiting(rings, "rx")), len(waiting(rings, "fill"))

        assert eventually(lambda: held() == (7, 121))
        rings = engine.telemetry.rings()
    assert rings["turns"] == 0


def test_no_frame_is_ever_in_two_places(lab: Lab) -> None:
    with paused(lab, batch=3) as engine:
        engine.pace = 0.0005
        seen = 0
        with Traffic(lab.peer, lab.port, rate=3_000) as traffic:
            while traffic.sent < 3_000 or seen < 100:
                rings = engine.telemetry.rings()
                frames = [frame for ring in RINGS for frame in waiting(rings, ring)]
                assert len(frames) == len(set(frames))
                assert set(frames) <= set(range(128))
                seen += 1


def test_entries_of_large_rings_are_not_shown_but_their_ends_are(lab: Lab) -> None:
    with paused(lab, ring_size=256) as engine:
        send(lab, 5)

        def holds(ring: str, count: int) -> bool:
            ends = engine.telemetry.rings()
            return bool(ends[f"{ring}_producer"] - ends[f"{ring}_consumer"] == count)

        assert eventually(lambda: holds("rx", 5) and holds("fill", 507))
        rings = engine.telemetry.rings()
    assert not any(np.any(rings[ring]) for ring in RINGS)


@pytest.mark.parametrize("pace", [-1, 1e-5, 3601, math.nan, "slow", None])
def test_a_pace_out_of_bounds_is_refused(lab: Lab, pace: Any) -> None:
    with Engine(lab.port) as engine:
        engine.pace = 0.5
        with pytest.raises(ConfigurationError, match=r"pace=.* must be 0.0001 to 3600 seconds"):
            engine.pace = pace
        assert engine.pace == 0.5
        for wrong in (0, -1, 1.5, 1_000_001):
            with pytest.raises(ConfigurationError, match="turns="):
                engine.step(wrong)
