"""Receivers that take turns on one wire: all that differs between such benchmarks is data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from xdplab.bench.receiver import Receiver
from xdplab.bench.rounds import Entry, Figures, Rounds
from xdplab.bench.wire import Wire, open_wire
from xdplab.net.stream import Rate


def received(receiver: Receiver, wire: Wire, seconds: float) -> Figures:
    """Let a receiver receive once; return its counts and figures."""
    return receiver.run(wire, seconds).as_dict()


@dataclass(frozen=True)
class OneWire:
    """Measures receivers in turn: one lab, one generator of 64-byte frames.

    Generator and receiver have a core each, if there are two. Each run has a fresh receiver and a
    warm-up.

    Parameters
    ----------
    receivers
        Takes the benchmark's own options; returns the receivers.
    figures
        Figures of a run to give with the spread over the runs.
    take
        Measures one run of a receiver.
    compare
        Takes the entries, those of a load together; returns further fields of the result.
    backend
        As for `Lab`.
    """

    receivers: Callable[..., Sequence[Receiver]]
    figures: Sequence[str]
    take: Callable[[Receiver, Wire, float], Figures] = received
    compare: Callable[[Sequence[Entry]], Mapping[str, Any]] = lambda _entries: {}
    backend: str | None = None

    def __call__(
        self,
        turns: Rounds,
        rate: Rate = "max",
        **options: Any,
    ) -> dict[str, Any]:
        """Let all receivers take turns, at a rate and as fast as the generator can."""
        receivers = list(self.receivers(**options))
        loads: list[Rate] = ["max"] if rate == "max" else [rate, "max"]
        with open_wire(self.backend) as wire:
            entries = [
                Entry(
                    receiver.name,
                    partial(self._turn, receiver, wire, load, turns.seconds),
                    {"settings": receiver.settings, **({"rate": load} if len(loads) > 1 else {})},
                    receiver.missing(),
                )
                for load in loads
                for receiver in receivers
            ]
            turns.take(entries)
            if len({receiver.program for receiver in receivers}) > 1:
                for entry, receiver in zip(entries, receivers * len(loads), strict=True):
                    entry.labels |= {"program": receiver.program, "version": receiver.version}
            compared = self.compare(entries)
            sent = {"rate": "max"} if len(loads) == 1 else {"rates": loads}
            traffic = {**sent, **wire.as_dict()}
            return {**turns.result(wire.lab, entries, self.figures, traffic), **compared}

    def _turn(self, receiver: Receiver, wire: Wire, load: Rate, seconds: float) -> Figures:
        wire.traffic.rate = load
        asked = None if load == "max" else load
        return {**self.take(receiver, wire, seconds), "asked_pps": asked}
