"""The knobs of an engine that are one word of its control block: plain attributes.

Setting one is a store that each worker sees on its next turn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from xdplab._engine import lib
from xdplab.checks import whole
from xdplab.stream import Rate, interval_ps, rate_of


class Knobs(ABC):
    """Knobs that need nothing but their own check. `Engine` has the rest."""

    @property
    @abstractmethod
    def ring_size(self) -> int:
        """The largest batch."""

    @abstractmethod
    def _load(self, name: str) -> int:
        """Read a word of the first worker's control block."""

    @abstractmethod
    def _store(self, name: str, value: int) -> None:
        """Write a word of every worker's control block."""

    @property
    def batch(self) -> int:
        """Most frames taken from the RX ring at once, 1 to `ring_size`."""
        return self._load("batch")

    @batch.setter
    def batch(self, value: int) -> None:
        self._store("batch", self._check_batch(value))

    @property
    def burst(self) -> int:
        """Most packets received before the worker looks at its knobs and the clock again."""
        return self._load("burst")

    @burst.setter
    def burst(self, value: int) -> None:
        self._store("burst", self._check_burst(value))

    @property
    def spin_microseconds(self) -> int:
        """How long `adaptive` spins after the last packet before it parks, 0 to 1,000,000."""
        return self._load("spin_ns") // 1000

    @spin_microseconds.setter
    def spin_microseconds(self, value: int) -> None:
        self._store("spin_ns", 1000 * whole("spin_microseconds", value, 0, 1_000_000))

    @property
    def busy_poll_microseconds(self) -> int:
        """How long `busy-poll` and `uring-napi` drive NAPI at a time, 1 to 10,000."""
        return self._load("busy_poll_microseconds")

    @busy_poll_microseconds.setter
    def busy_poll_microseconds(self, value: int) -> None:
        microseconds = whole("busy_poll_microseconds", value, 1, 10_000)
        self._store("busy_poll_microseconds", microseconds)

    @property
    def busy_poll_budget(self) -> int:
        """Most packets that `busy-poll` lets NAPI take at a time, 1 to 65,535."""
        return self._load("busy_poll_budget")

    @busy_poll_budget.setter
    def busy_poll_budget(self, value: int) -> None:
        self._store("busy_poll_budget", whole("busy_poll_budget", value, 1, 65_535))

    @property
    def rate(self) -> Rate:
        """Frames a second of its own stream and of each worker, or ``"max"``."""
        return rate_of(self._load("interval_ps"))

    @rate.setter
    def rate(self, value: Rate) -> None:
        self._store("interval_ps", interval_ps(value))

    @property
    def sample_every(self) -> int:
        """1 frame in this many is kept as a sample; 0 keeps none."""
        return self._load("sample_every")

    @sample_every.setter
    def sample_every(self, value: int) -> None:
        self._store("sample_every", whole("sample_every", value, 0, 1 << 62))

    @property
    def inspect(self) -> bool:
        """Whether every frame's latency and sequence number are looked at, or samples' only."""
        return bool(self._load("inspect"))

    @inspect.setter
    def inspect(self, value: bool) -> None:
        self._store("inspect", int(value))

    def reset_latency(self) -> None:
        """Empty the latency histograms, on the workers' next turn."""
        self._store("latency_resets", self._load("latency_resets") + 1)

    def _check_batch(self, value: int) -> int:
        return whole("batch", value, 1, self.ring_size)

    @staticmethod
    def _check_burst(value: int) -> int:
        return whole("burst", value, 1, lib.XDPLAB_LARGEST_BURST)
