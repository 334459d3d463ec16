"""What a benchmark's receivers have in common, and the receiver that is ours.

A new receiver is one class with these members in a file of its own, and one line in a benchmark.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

from xdplab.engine import Engine
from xdplab.lab import Lab
from xdplab.measure import measure
from xdplab.traffic import Traffic

_WARM_UP_SECONDS = 0.3


@dataclass(frozen=True)
class Run:
    """What one receiver did in one run. Times a packet are those of `xdplab.measure.Measurement`.

    Parameters
    ----------
    seconds
        From the first frame to the last, as the generator was told.
    sent
        Frames, as the generator counted them.
    rx_packets
        As the receiver itself counted them.
    balanced
        Whether the ledger of the run added up; None for a receiver without one.
    """

    seconds: float
    sent: int
    rx_packets: int
    user_ns_per_packet: float | None = None
    idle_ns_per_packet: float | None = None
    sys_ns_per_packet: float | None = None
    softirq_ns_per_packet: float | None = None
    balanced: bool | None = None

    @property
    def rx_pps(self) -> float:
        """Packets received a second."""
        return round(self.rx_packets / self.seconds, 1)

    @property
    def sent_pps(self) -> float:
        """Frames sent a second."""
        return round(self.sent / self.seconds, 1)


@dataclass(frozen=True)
class Wire:
    """The lab, the generator at its one end, and the core for the receiver at its other end."""

    lab: Lab
    traffic: Traffic
    worker: int

    def warm_up(self) -> None:
        """Send what is not counted: caches, page tables and the core's clock settle meanwhile."""
        self.send(_WARM_UP_SECONDS)

    def send(self, seconds: float) -> tuple[int, float]:
        """Send for some time; return the frames sent and the seconds that it took.

        Raises
        ------
        KernelError
            When the kernel ended the generator.
        """
        before, started = self.traffic.sent, time.monotonic()
        self.traffic.start()
        try:
            time.sleep(seconds)
            if not self.traffic.running:
                self.traffic.wait()
        finally:
            self.traffic.stop()
        return self.traffic.sent - before, round(time.monotonic() - started, 6)


class Receiver(Protocol):
    """Receives the traffic of a run and counts it."""

    name: str
    program: str
    settings: dict[str, str | int | None]
    version: str | None
    """None as long as it is not known: a peer's own is read when it runs."""

    def missing(self) -> str | None:
        """Say what to do where the program is not there; None where it is."""

    def run(self, wire: Wire, seconds: float) -> Run:
        """Measure once, with nothing left behind.

        Raises
        ------
        XdplabError
            With what went wrong.
        """


class OurWorker:
    """Receives a run's traffic with an engine of its own.

    Parameters
    ----------
    wait
        Its wait strategy.
    """

    program = "xdplab"
    _BATCH, _RING_SIZE = 64, 2048  # what `xdplab run` takes unless told otherwise

    def __init__(self, wait: str) -> None:
        self.name = wait
        self.settings: dict[str, str | int | None] = {
            "wait": wait,
            "batch": self._BATCH,
            "ring_size": self._RING_SIZE,
        }
        self.version: str | None = version("xdplab")
        self._wait = wait

    def missing(self) -> str | None:
        """Ours is always there."""
        return None

    def run(self, wire: Wire, seconds: float) -> Run:
        """Measure once, as `xdplab run` does.

        Raises
        ------
        XdplabError
            When the engine can't be had, or it or the generator ended by itself.
        """
        with Engine(
            wire.lab.port,
            wait=self._wait,
            batch=self._BATCH,
            ring_size=self._RING_SIZE,
            cpu=wire.worker,
        ) as engine:
            wire.warm_up()
            measured, _ = measure(engine, wire.traffic, seconds)
        if measured.seconds < seconds:  # `measure` takes an interrupt as an early end
            raise KeyboardInterrupt
        return Run(
            seconds=measured.seconds,
            sent=measured.sent or 0,
            rx_packets=measured.rx_packets,
            user_ns_per_packet=measured.user_ns_per_packet,
            idle_ns_per_packet=measured.idle_ns_per_packet,
            sys_ns_per_packet=measured.sys_ns_per_packet,
            softirq_ns_per_packet=measured.softirq_ns_per_packet,
            balanced=measured.balanced,
        )
