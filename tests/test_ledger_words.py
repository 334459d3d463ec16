"""What a ledger says of counts and settings that are given to it."""

from __future__ import annotations

import pytest

from xdplab.ledger.explain import explain
from xdplab.ledger.overflow import Overflow
from xdplab.ledger.situation import Situation


def test_every_packet_arrived_only_says_so_of_all_that_were_asked() -> None:
    counts = {"sent by the generator": 4401, "received by the worker": 4401}
    assert explain(counts, 0, Situation(generator_cpu=0)) == ["Every packet arrived."]
    all_sent, short = explain({**counts, "asked of the generator": 50_000}, 0, Situation())
    assert all_sent == "Every packet that was sent arrived."
    assert short.startswith("The generator sent 4,401 of 50,000 packets asked (8.8 %). ")


@pytest.mark.parametrize(
    ("situation", "words"),
    [
        (Situation(wait="poll"), "engine.wait = 'spin'"),
        (Situation(cpus=(1,), generator_cpu=1), "share core 1"),
        (Situation(overflow=Overflow(busy=0.9)), "more queues with a worker each"),
        (Situation(overflow=Overflow(busy=0.9), sends=True), "the kernel, which sends"),
        (Situation(wait="spin", overflow=Overflow(ran=0.4)), "its core for 60.0 % of the time"),
        (Situation(overflow=Overflow(ran=0.4, contended=True)), "its core for 60.0 % of the time"),
        (Situation(wait="spin", overflow=Overflow(ran=0.99)), "More came at once than it could"),
        (Situation(overflow=Overflow(stopped=True)), "The worker was stopped then"),
        (Situation(running=False, overflow=Overflow(busy=0.9)), "It was busy all the time"),
        (Situation(wait="spin", overflow=Overflow(wait="poll")), "It sleeps when there is nothing"),
        (Situation(overflow=Overflow(busy=0.9), batch=8), "a larger batch, engine.batch = 64"),
        (Situation(ring_size=8192, overflow=Overflow(ring_size=64)), "all of its 64 entries"),
        (
            Situation(overflow=Overflow(ring_size=2048, pps=2e6)),
            "at 2 Mpps the ring takes 1.02 ms to fill, and a wake-up some 50 µs, so something else",
        ),
        (
            Situation(overflow=Overflow(away=0.0023)),
            "came back to its core after 2.30 ms on average. A wake-up takes some 50 µs, so",
        ),
        (
            Situation(timer=200, overflow=Overflow(wait="timer", ring_size=64, pps=640_000)),
            "takes 100 µs to fill: engine.timer_microseconds = 12 wakes it in time, or let more",
        ),
        (
            Situation(
                timer=10, ring_size=64, overflow=Overflow(wait="timer", ring_size=64, pps=1.2e6)
            ),
            "no longer than a wake-up after the shortest sleep: engine.reconfigure(ring_size=256)",
        ),
        (Situation(paced=True), "engine.pace = 0"),
        (Situation(running=False, fault="port0 is gone"), "The worker has ended"),
    ],
)
def test_a_full_ring_has_the_reason_that_fits(situation: Situation, words: str) -> None:
    assert words in "\n".join(explain({"RX ring full": 5}, 0, situation))


@pytest.mark.parametrize(
    ("backlog", "words"),
    [
        (1000, "engine.reconfigure(ring_size=4096) bridges such a pause"),
        (3000, "engine.reconfigure(ring_size=8192) bridges such a pause"),
        (2_000_000, "No ring is large enough for that: 2,002,048 packets would have had to wait"),
    ],
)
def test_only_a_ring_that_would_have_held_what_came_bridges(backlog: int, words: str) -> None:
    did = Overflow(ran=0.04, contended=True, ring_size=2048, seconds=0.1, backlog=backlog)
    said = "\n".join(explain({"RX ring full": backlog}, 0, Situation(overflow=did)))
    assert words in said
    assert "its core for 96.0 % of the 100 ms in which they came" in said
    assert ("bridges" in said) == ("No ring" not in said)


def test_what_could_not_be_provoked_has_words_too() -> None:
    missing = {"no fill descriptor": 5, "seen by the device": 10_000, "invalid TX descriptor": 1}
    frames, descriptors = explain(missing, 0, Situation(sends=True))
    assert frames.startswith("5 packets of 10,000 (< 0.1 %) came while the fill ring was")
    assert "ring_size=8192" in frames
    assert "report it" in descriptors
    assert "unaccounted" in explain({}, 3, Situation())[0]
    assert "in flight" in explain({}, 3, Situation(flowing=True))[0]


def test_a_generator_whose_frames_can_wait_is_told_how() -> None:
    command = "ip netns exec x tc qdisc replace dev peer0 root pfifo"
    waits = Situation(generator_queueing=(command,))
    assert f"`{command}`" in "\n".join(explain({"wire full": 5}, 0, waits))
    assert "queueing" not in "\n".join(explain({"wire full": 5}, 0, Situation()))
    down = Situation(generator_queueing=(command,), broken_links=("peer0 is down.",))
    assert "5 packets left the generator, but its interface dropped them" in "\n".join(
        explain({"wire full": 5}, 0, down)
    )
