"""The interface of a benchmark's receivers, and xdplab's own receiver.

A new receiver is one class with these members in a file of its own, and one line in a benchmark.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Protocol

from xdplab.bench.wire import Wire, unanswered
from xdplab.configuration.keywords import grouped
from xdplab.engine.engine import Engine
from xdplab.experiments.measure import Measurement, measure_whole
from xdplab.native.paths import Kind, kind_of

COSTS = (
    "user_ns_per_packet",
    "idle_ns_per_packet",
    "sys_ns_per_packet",
    "softirq_ns_per_packet",
    "sqpoll_ns_per_packet",
)
"""Times per packet of a run, as in `Measurement`; None if not measured."""

OWN = ("cpu_ns_per_packet", "syscalls_per_packet")
"""Costs per packet of a receiver's own threads: all their CPU time, and system calls."""

RATES = ("rx_pps", "sent_pps", "lost_percent")
CALLS = ("wakeups_per_second", "syscalls_per_second", "rearms_per_second")
"""Figures that only xdplab's worker counts; system calls are without those of telemetry."""


def lost_percent(sent: int, arrived: int) -> float | None:
    """Return the share of the sent frames that did not arrive; None if none was sent."""
    return round(100 * max(sent - arrived, 0) / sent, 3) if sent else None


@dataclass(frozen=True)
class Received:
    """The counts and figures of one receiver in one run.

    Parameters
    ----------
    seconds
        Time from the first frame to the last, as set for the generator.
    sent
        Frames sent, by the generator's count.
    rx_packets
        Packets received, by the receiver's own count.
    figures
        Other figures, such as `COSTS`; missing ones are None in the result.
    """

    seconds: float
    sent: int
    rx_packets: int
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rx_pps(self) -> float:
        """Packets received a second."""
        return round(self.rx_packets / self.seconds, 1)

    @property
    def sent_pps(self) -> float:
        """Frames sent a second."""
        return round(self.sent / self.seconds, 1)

    @property
    def lost_percent(self) -> float | None:
        """Share of the sent frames that did not arrive."""
        return lost_percent(self.sent, self.rx_packets)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "seconds": self.seconds,
            "sent": self.sent,
            "rx_packets": self.rx_packets,
            "rx_pps": self.rx_pps,
            "sent_pps": self.sent_pps,
            "lost_percent": self.lost_percent,
            **dict.fromkeys(["balanced", *COSTS, *OWN, *CALLS, "ineffective"]),
            **self.figures,
        }


def figures(measured: Measurement) -> dict[str, Any]:
    """Return a measurement's figures, by their names in a result."""
    calls = sum(number for kind, number in measured.syscalls.items() if kind != "publish")
    counted = (measured.wakeups, calls, measured.rearms)
    packets = measured.rx_packets
    costs = {name: getattr(measured, name) for name in COSTS}
    own = [costs[name] for name in COSTS if name != "softirq_ns_per_packet"]
    return {
        **costs,
        "sent_pps": measured.sent_pps,
        # Zero without a submission thread.
        "sqpoll_ns_per_packet": measured.sqpoll_ns_per_packet or None,
        "cpu_ns_per_packet": round(sum(ns or 0 for ns in own), 2) if packets else None,
        "syscalls_per_packet": round(calls / packets, 4) if packets else None,
        **{name: round(n / measured.seconds, 1) for name, n in zip(CALLS, counted, strict=True)},
        "balanced": measured.balanced,
        "ineffective": measured.wait_note or None,
    }


class Receiver(Protocol):
    """Receives the traffic of a run and counts it."""

    name: str
    program: str
    settings: dict[str, Any]
    version: str | None
    """None if not known yet: a peer's version is read when it runs."""

    def missing(self) -> str | None:
        """Return what to do if the program is missing; None if it is installed."""

    def run(self, wire: Wire, seconds: float) -> Received:
        """Measure once, and clean up.

        Raises
        ------
        XdplabError
            When the run failed.
        """


class OurWorker:
    """Receives a run's traffic with an engine of its own.

    Parameters
    ----------
    wait
        Its wait strategy; None on a path without wait strategies.
    name
        Its name in the result. Default: the strategy.
    path, action, batch, burst, sample_every, publish_interval
        As for `Engine` and its groups.
    """

    program = "xdplab"
    RING_SIZE = 2048
    """The defaults of `xdplab run`."""

    def __init__(
        self,
        wait: str | None,
        name: str | None = None,
        *,
        path: str = "xsk",
        action: str = "drop",
        batch: int = 64,
        burst: int = 256,
        sample_every: int = 1000,
        publish_interval: float = 0.01,
    ) -> None:
        self.name = name or wait or path
        self._kind = kind_of(path)
        rings = {"wait": wait, "burst": burst, "ring_size": self.RING_SIZE}
        self.settings: dict[str, Any] = {
            **(rings if path == "xsk" else {"path": path}),
            "action": action,
            "batch": batch,
            "sample_every": sample_every,
            "publish_interval": publish_interval,
        }
        self.version: str | None = version("xdplab")

    def missing(self) -> str | None:
        """Return None: xdplab's worker is always there."""
        return None

    def run(self, wire: Wire, seconds: float) -> Received:
        """Measure once, as `xdplab run` does.

        Raises
        ------
        XdplabError
            When the engine can't be opened, or it or the generator ended by itself.
        """
        with (
            # As with the peers: such a socket sees packets that the stack goes on with.
            unanswered(wire.lab.port) if self._kind == Kind.PACKET else nullcontext(),
            told_later(),
            Engine(wire.lab.port, cpu=wire.worker, **grouped(self.settings)) as engine,
        ):
            self._prepare(engine)
            wire.warm_up()
            measured = measure_whole(engine, wire.traffic, seconds)
        return Received(
            measured.seconds, measured.sent or 0, measured.rx_packets, figures(measured)
        )

    def _prepare(self, engine: Engine) -> None:
        """Set what an engine can be given only once it is made."""


@contextmanager
def told_later() -> Iterator[None]:
    """Suppress an engine's warning about an ineffective strategy: the result has it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "wait=.* is ineffective here")
        yield
