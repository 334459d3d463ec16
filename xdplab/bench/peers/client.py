"""The client of a latency benchmark: sends at a rate, and times what comes back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from xdplab.core.closing import Closing
from xdplab.core.errors import XdplabError
from xdplab.engine.engine import ACTIONS, Engine
from xdplab.net.host import Host
from xdplab.net.stream import Stream
from xdplab.telemetry.region import Latency

# After a longer pause a stream goes on from there, and does not make up for it with a burst:
# TRAFFIC_PATIENCE_MS of native/include/traffic.h, and some more.
_PAUSE_SECONDS = 0.15
_QUIET_SECONDS = 0.5  # after which nothing more is expected to come back
_LONGEST_SETTLING_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.01


@dataclass(frozen=True)
class Trips:
    """What was sent, and the round trips of what came back.

    Parameters
    ----------
    seconds
        For how long it was sent.
    sent
        Frames.
    times
        A round trip each, of those that came back.
    """

    seconds: float
    sent: int
    times: Latency

    @property
    def lost(self) -> int:
        """How many did not come back."""
        return self.sent - self.times.total


class Client(Closing):
    """An engine that sends numbered frames to a host and spins for the answers, on a core its own.

    Address resolution is left to the stack of its host, so a server may have a stack too.

    Parameters
    ----------
    host
        Where it sends from.
    server
        Whom it sends to.
    size
        Bytes of a frame.
    cpu
        Its core.
    """

    def __init__(self, host: Host, server: Host, *, size: int, cpu: int) -> None:
        self._engine = Engine(
            host,
            stream=Stream(server, size=size),
            action="drop",  # until it is told to send
            wait="spin",
            inspect=True,
            sample_every=0,
            publish_interval=0.05,  # its own records are no part of what is measured
            cpu=cpu,
        ).start()

    def send(self, rate: float, seconds: float) -> Trips:
        """Send for some time, and wait for what comes back.

        Parameters
        ----------
        rate
            Frames a second.
        seconds
            How long.

        Raises
        ------
        KernelError
            When the client ended by itself.
        """
        engine, times = self._engine, self._engine.telemetry.latency
        engine.stream_rate = rate
        time.sleep(_PAUSE_SECONDS)
        sent, before = self._sent(), times()
        started = time.monotonic()
        engine.action = "generate"
        try:
            time.sleep(seconds)
        finally:
            engine.action = "drop"
        elapsed = round(time.monotonic() - started, 6)
        sent = self._sent() - sent
        total, changed = times().total, time.monotonic()
        while total - before.total < sent and time.monotonic() < changed + _QUIET_SECONDS:
            time.sleep(_LOOK_AGAIN_SECONDS)
            if (now := times().total) != total:
                total, changed = now, time.monotonic()
        return Trips(elapsed, sent, times() - before)

    def _sent(self) -> int:
        """Read how many frames it sent, once it has written down that it sends no more."""
        now, deadline = time.monotonic_ns(), time.monotonic() + _LONGEST_SETTLING_SECONDS
        pausing = ACTIONS.index("drop")
        while True:
            counters: Any = self._engine.telemetry.counters()
            if counters["time_ns"] >= now and counters["control_action"] == pausing:
                return int(counters["tx_packets"])
            if fault := self._engine.error:
                raise fault
            if time.monotonic() > deadline:
                raise XdplabError(
                    "the client does not get its core: something else keeps it busy. End that."
                )
            time.sleep(_LOOK_AGAIN_SECONDS)

    def close(self) -> None:
        """End it."""
        self._engine.close()
