"""The pump: one thread, alive while anybody subscribes."""

from __future__ import annotations

import gc
import threading

from support.waiting import eventually

from xdplab.widgets.base import pump


class Subscriber:
    """Counts its beats, and fails at the one that it was told to fail at."""

    def __init__(self, fail_at: int = 0) -> None:
        self.fail_at = fail_at
        self.beats = 0
        self.error: Exception | None = None
        self.threads: set[str] = set()

    def beat(self) -> None:  # noqa: D102
        self.beats += 1
        self.threads.add(threading.current_thread().name)
        if self.beats == self.fail_at:
            raise ValueError("as told")

    def failed(self, error: Exception) -> None:  # noqa: D102
        self.error = error


def pumps() -> int:
    return sum(thread.name == "xdplab-pump" for thread in threading.enumerate())


def it_ended() -> bool:
    return eventually(lambda: not pumps())


def beats(subscriber: Subscriber, more: int) -> bool:
    """Wait until it has so many more beats."""
    until = subscriber.beats + more
    return eventually(lambda: subscriber.beats >= until)


def test_one_thread_serves_all_and_ends_with_the_last() -> None:
    first, second = Subscriber(), Subscriber()
    pump.subscribe(first)
    pump.subscribe(second)
    assert beats(first, 2)
    assert beats(second, 2)
    assert pumps() == 1
    assert first.threads == second.threads == {"xdplab-pump"}
    pump.unsubscribe(first)
    assert beats(second, 2)
    pump.unsubscribe(second)
    assert it_ended()


def test_it_starts_again_for_a_new_subscriber() -> None:
    for _ in range(3):
        subscriber = Subscriber()
        pump.subscribe(subscriber)
        assert beats(subscriber, 1)
        assert pumps() == 1
        pump.unsubscribe(subscriber)
        assert it_ended()


def test_subscriber_that_fails_is_told_and_the_others_go_on() -> None:
    sound, faulty = Subscriber(), Subscriber(fail_at=2)
    pump.subscribe(faulty)
    pump.subscribe(sound)
    assert beats(sound, 5)
    assert faulty.beats == 2
    assert str(faulty.error) == "as told"
    pump.unsubscribe(sound)
    assert it_ended()


def test_it_keeps_no_subscriber_alive() -> None:
    subscriber = Subscriber()
    pump.subscribe(subscriber)
    assert beats(subscriber, 1)
    del subscriber
    gc.collect()
    assert it_ended()
