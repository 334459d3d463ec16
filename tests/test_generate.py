"""A worker that generates sends what it was asked for through AF_XDP, and times what comes back."""

from __future__ import annotations

import pytest
from support.loads import DEEP_RING, HOLDABLE_RATE
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, Lab, Stream

COUNT = 5000


def test_a_count_arrives_complete_and_in_order(lab: Lab) -> None:
    stream = Stream(lab.port, rate=HOLDABLE_RATE, count=COUNT)
    with (
        Engine(lab.port, inspect=True, ring_size=DEEP_RING) as receiver,
        Engine(lab.peer, stream=stream) as sender,
    ):
        assert eventually(lambda: receiver.telemetry.counters()["stream_frames"] == COUNT)
        # The sender writes its own record of it in its own time.
        assert eventually(lambda: sender.telemetry.counters()["tx_packets"] == COUNT)
        received = receiver.telemetry.counters()
    assert received["stream_missing"] == received["stream_late"] == 0


def test_at_full_speed_every_frame_is_completed_and_used_again(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING), Engine(lab.peer, stream=Stream(lab.port)) as sender:
        assert eventually(lambda: sender.telemetry.counters()["tx_packets"] > 10 * sender.ring_size)
        sender.action = "drop"  # no more of its own
        assert eventually(
            lambda: (
                (counters := sender.telemetry.counters())["completion_consumer"]
                == counters["tx_packets"]
            )
        )


def test_a_second_start_sends_the_count_again_with_the_numbers_that_follow(lab: Lab) -> None:
    stream = Stream(lab.port, rate=HOLDABLE_RATE, count=1000)
    with (
        Engine(lab.port, inspect=True, ring_size=DEEP_RING) as receiver,
        Engine(lab.peer, stream=stream) as sender,
    ):
        assert eventually(lambda: receiver.telemetry.counters()["stream_frames"] == 1000)
        sender.stop()
        sender.start()
        assert eventually(lambda: receiver.telemetry.counters()["stream_frames"] == 2000)
        assert receiver.telemetry.counters()["stream_missing"] == 0


@pytest.mark.parametrize("action", ["reflect", "echo"])
def test_the_round_trip_of_what_comes_back_is_measured(lab: Lab, action: str) -> None:
    stream = Stream(lab.port, rate=2000, count=500)
    with (
        Engine(lab.port, action=action, ring_size=DEEP_RING),
        Engine(lab.peer, stream=stream, inspect=True, ring_size=DEEP_RING) as client,
    ):
        assert eventually(lambda: client.telemetry.latency().total == 500)
        counters = client.telemetry.counters()
    assert counters["stream_missing"] == counters["stream_late"] == 0
    assert client.telemetry.latency().percentile(1) > 0


def test_the_rate_is_a_knob_that_turns_while_it_runs(lab: Lab) -> None:
    with Engine(lab.peer, stream=Stream(lab.port, rate=1)) as sender, Engine(lab.port):
        assert sender.stream_rate == 1
        sender.stream_rate = 50_000
        assert eventually(lambda: sender.telemetry.counters()["tx_packets"] > 1000)
        sender.stream_rate = "max"
        assert sender.stream_rate == "max"


def test_without_a_stream_there_is_nothing_to_generate(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"stream=Stream"):
        Engine(lab.peer, action="generate")
    with Engine(lab.peer) as engine, pytest.raises(ConfigurationError, match=r"stream=Stream"):
        engine.action = "generate"
