"""The knobs of an engine that are one word of its control block: plain attributes.

Setting one is a store that each worker sees on its next turn.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from xdplab.core.checks import boolean, choice, nanoseconds, number, whole
from xdplab.knobs.journal import Journal
from xdplab.native import lib
from xdplab.native.records import names_of
from xdplab.net.stream import Rate, interval_ps, rate_of

_ONLY_STEPS = (1 << 64) - 1

CHECKSUMS: tuple[str, ...] = names_of("xdplab_checksum", "XDPLAB_CHECKSUM_")
"""Who finishes the checksum of a packet that is sent on: the values of `Knobs.checksum`."""


class Knobs(ABC):
    """Knobs that need nothing but their own check. `Engine` has the rest."""

    journal: Journal
    """Every change of a knob, and when it was."""

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

    def _turn(self, knob: str, word: str, value: int) -> None:
        """Store one word, and note the change under the knob's name."""
        before = getattr(self, knob)
        self._store(word, value)
        self.journal.note(knob, before, getattr(self, knob))

    @property
    def batch(self) -> int:
        """Most frames taken from the RX ring at once, 1 to `ring_size`."""
        return self._load("batch")

    @batch.setter
    def batch(self, value: int) -> None:
        self._turn("batch", "batch", self._check_batch(value))

    @property
    def burst(self) -> int:
        """Most packets received before the worker looks at its knobs and the clock again."""
        return self._load("burst")

    @burst.setter
    def burst(self, value: int) -> None:
        self._turn("burst", "burst", self._check_burst(value))

    @property
    def spin_microseconds(self) -> int:
        """How long `adaptive` spins after the last packet before it parks, 0 to 1,000,000."""
        return self._load("spin_ns") // 1000

    @spin_microseconds.setter
    def spin_microseconds(self, value: int) -> None:
        microseconds = whole("spin_microseconds", value, 0, 1_000_000)
        self._turn("spin_microseconds", "spin_ns", 1000 * microseconds)

    @property
    def busy_poll_microseconds(self) -> int:
        """How long `busy-poll` and `uring-napi` drive NAPI at a time, 1 to 10,000."""
        return self._load("busy_poll_microseconds")

    @busy_poll_microseconds.setter
    def busy_poll_microseconds(self, value: int) -> None:
        microseconds = whole("busy_poll_microseconds", value, 1, 10_000)
        self._turn("busy_poll_microseconds", "busy_poll_microseconds", microseconds)

    @property
    def busy_poll_budget(self) -> int:
        """Most packets that `busy-poll` lets NAPI take at a time, 1 to 65,535."""
        return self._load("busy_poll_budget")

    @busy_poll_budget.setter
    def busy_poll_budget(self, value: int) -> None:
        budget = whole("busy_poll_budget", value, 1, 65_535)
        self._turn("busy_poll_budget", "busy_poll_budget", budget)

    @property
    def rate(self) -> Rate:
        """Frames a second of its own stream and of each worker, or ``"max"``."""
        return rate_of(self._load("interval_ps"))

    @rate.setter
    def rate(self, value: Rate) -> None:
        self._turn("rate", "interval_ps", interval_ps(value))

    @property
    def sample_every(self) -> int:
        """1 frame in this many is kept as a sample; 0 keeps none."""
        return self._load("sample_every")

    @sample_every.setter
    def sample_every(self, value: int) -> None:
        self._turn("sample_every", "sample_every", whole("sample_every", value, 0, 1 << 62))

    @property
    def inspect(self) -> bool:
        """Whether every frame's latency and sequence number are looked at, or samples' only."""
        return bool(self._load("inspect"))

    @inspect.setter
    def inspect(self, value: bool) -> None:
        self._turn("inspect", "inspect", boolean("inspect", value))

    @property
    def checksum(self) -> str:
        """Who finishes an unfinished checksum before a packet is sent on: one of `CHECKSUMS`.

        A local stack leaves the checksums of TCP, UDP and SCTP to the device where that offers it,
        as veth does, and the device of the far end is to know: an AF_XDP frame can't say so, and
        its receiver drops it. With ``"software"`` the worker looks for such packets, behind VLAN
        tags, IP options and tunnels too, and adds what is missing; it changes no other. With
        ``"none"`` packets leave as they came, and one of each batch is looked at, so that the
        ledger can tell.
        """
        return CHECKSUMS[min(self._load("checksum"), len(CHECKSUMS) - 1)]

    @checksum.setter
    def checksum(self, value: str) -> None:
        self._turn("checksum", "checksum", self._check_checksum(value))

    @property
    def pace(self) -> float:
        """Seconds between batches at least, from 0.0001; 0 for a worker that runs freely.

        ``math.inf`` stops it but for single steps, see `step`. A paced worker takes one batch a
        turn, in an order that shows each frame in each ring: what one turn puts into the TX ring,
        the next hands to the kernel, and the one after takes back from the completion ring.
        `Telemetry.rings` shows what the rings hold meanwhile. What finds the RX ring full is lost,
        and counted by the kernel.
        """
        word = self._load("pace_ns")
        return math.inf if word == _ONLY_STEPS else word / 1e9

    @pace.setter
    def pace(self, value: float) -> None:
        self._turn("pace", "pace_ns", _pace_ns(value))

    def step(self, turns: int = 1) -> None:
        """Have the paced workers take turns at once, a batch each.

        Parameters
        ----------
        turns
            How many, 1 to 1,000,000. A worker that is stopped, or runs freely, takes none of them
            later.
        """
        self._store("steps", self._load("steps") + whole("turns", turns, 1, 1_000_000))

    def reset_latency(self) -> None:
        """Empty the latency histograms, on the workers' next turn."""
        self._store("latency_resets", self._load("latency_resets") + 1)

    def _check_batch(self, value: int) -> int:
        return whole("batch", value, 1, self.ring_size)

    @staticmethod
    def _check_checksum(value: str) -> int:
        return CHECKSUMS.index(choice("checksum", value, CHECKSUMS))

    @staticmethod
    def _check_burst(value: int) -> int:
        return whole("burst", value, 1, lib.XDPLAB_LARGEST_BURST)


def _pace_ns(value: object) -> int:
    pace = number(value)
    if pace == math.inf:
        return _ONLY_STEPS
    # Faster than that, a worker would do little else than show its rings.
    return 0 if pace == 0 else nanoseconds("pace", value, 1e-4, 3600)
