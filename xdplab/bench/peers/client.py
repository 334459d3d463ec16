"""The client of a latency benchmark: sends frames at a rate, and measures the round trips."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xdplab.configuration.groups import Sampling
from xdplab.core.closing import Closing
from xdplab.core.errors import XdplabError
from xdplab.engine.engine import ACTIONS, Engine
from xdplab.net.host import Host
from xdplab.net.stream import Stream
from xdplab.telemetry.region import Latency

# After a longer pause a stream continues at its rate, without a burst of the missed frames:
# TRAFFIC_PATIENCE_MS of native/include/traffic.h, and some more.
_PAUSE_SECONDS = 0.15
_QUIET_SECONDS = 0.5  # after this time without an answer, no more are expected
_LONGEST_SETTLING_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.01
_BURST_SECONDS = 0.0005  # long enough to send what is due at once


@dataclass(frozen=True)
class Trips:
    """The number of frames sent, and the round trips of the answered ones.

    Parameters
    ----------
    seconds
        Time of sending.
    sent
        Frames sent.
    times
        The round trip of each answered frame.
    cpu_ns
        The CPU time that the server took meanwhile.
    """

    seconds: float
    sent: int
    times: Latency
    cpu_ns: int

    @property
    def lost(self) -> int:
        """Number of frames that did not come back."""
        return self.sent - self.times.total


class Client(Closing):
    """An engine on its own core that sends numbered frames to a host and spins for the answers.

    The stack of its host resolves addresses, so a server may be behind a stack too.

    Parameters
    ----------
    host
        The host to send from.
    server
        The host to send to.
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
            # Seldom, so that its own records disturb little.
            sampling=Sampling(every=0, publish_interval=0.05),
            cpu=cpu,
        ).start()

    def send(
        self,
        rate: float,
        seconds: float,
        *,
        apart: float = 0,
        cpu_clock: Callable[[], int] = int,
    ) -> Trips:
        """Send for some time, and wait for the answers.

        Parameters
        ----------
        rate
            Frames a second.
        seconds
            How long.
        apart
            Seconds between bursts, each of the frames that are due by then; 0: no bursts.
        cpu_clock
            Returns the CPU time of the server, in nanoseconds.

        Raises
        ------
        KernelError
            When the client ended by itself.
        """
        engine, times = self._engine, self._engine.telemetry.latency
        engine.stream_rate = rate
        time.sleep(_PAUSE_SECONDS)
        sent, before, cpu_ns = self._sent(), times(), cpu_clock()
        started = time.monotonic()
        self._generate(started + seconds, apart)
        elapsed = round(time.monotonic() - started, 6)
        cpu_ns = cpu_clock() - cpu_ns
        sent = self._sent() - sent
        total, changed = times().total, time.monotonic()
        while total - before.total < sent and time.monotonic() < changed + _QUIET_SECONDS:
            time.sleep(_LOOK_AGAIN_SECONDS)
            if (now := times().total) != total:
                total, changed = now, time.monotonic()
        return Trips(elapsed, sent, times() - before, cpu_ns)

    def _generate(self, until: float, apart: float) -> None:
        try:
            while (left := until - time.monotonic()) > 0:
                self._engine.action = "generate"
                time.sleep(min(_BURST_SECONDS, left) if apart else left)
                if apart:
                    self._engine.action = "drop"
                    time.sleep(apart)
        finally:
            self._engine.action = "drop"

    def _sent(self) -> int:
        """Read the number of frames sent, once a record says that it has stopped sending."""
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
        """Close the engine."""
        self._engine.close()
