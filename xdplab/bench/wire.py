"""The wire of a benchmark: a lab, the generator at one end, and the receiver's core."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from xdplab.core.cores import cores_for_queue
from xdplab.core.errors import KernelError
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab
from xdplab.net.host import Host
from xdplab.net.stream import STREAM_PORT

FRAME_BYTES = 64
_WARM_UP_SECONDS = 0.3
_BEGIN_SECONDS = 10.0  # for the generator's thread to get a core
_LOOK_SECONDS = 0.001
REST_SECONDS = 0.25
"""For `Wire.warm_up`."""


@dataclass(frozen=True)
class Wire:
    """A lab with the generator at one end, and the core for the receiver at the other end."""

    lab: Lab
    traffic: Traffic
    worker: int

    def warm_up(self, rest: float = 0) -> None:
        """Send uncounted traffic, so that caches, page tables and the core's clock settle.

        Parameters
        ----------
        rest
            Seconds to wait afterwards, for a receiver that lost its core to catch up.
        """
        self.send(_WARM_UP_SECONDS)
        time.sleep(rest)

    def send(self, seconds: float) -> tuple[int, float]:
        """Send for some time from the first frame on.

        Returns
        -------
        tuple of int and float
            The frames sent, and the seconds spent sending.

        Raises
        ------
        KernelError
            When the kernel ended the generator.
        """
        traffic = self.traffic
        before, started = traffic.sent, traffic.sending_seconds
        traffic.start()
        deadline = time.monotonic() + _BEGIN_SECONDS
        try:
            while traffic.running and traffic.sent == before and time.monotonic() < deadline:
                time.sleep(_LOOK_SECONDS)
            time.sleep(seconds)
            if not traffic.running:
                traffic.wait()
        finally:
            traffic.stop()
        return traffic.sent - before, round(traffic.sending_seconds - started, 6)

    def as_dict(self) -> dict[str, Any]:
        """Describe it for JSON."""
        return {
            "size": self.traffic.size,
            "generator_core": self.traffic.cpu,
            "worker_core": self.worker,
        }


@contextmanager
def unanswered(host: Host) -> Iterator[None]:
    """Keep a host's stack from refusing each frame: the refusals would be counted as well.

    Raises
    ------
    KernelError
        When the port can't be bound.
    """
    with host.socket() as never_read:
        try:
            never_read.bind((host.ipv4, STREAM_PORT))
        except OSError as error:
            tried = f"bind a UDP socket to {host.ipv4} port {STREAM_PORT}"
            raise KernelError(tried, error.errno or 0) from error
        yield


@contextmanager
def open_wire(backend: str | None = None) -> Iterator[Wire]:
    """Make a lab and a generator of the smallest frames, on cores of their own if possible.

    Parameters
    ----------
    backend
        As for `Lab`.

    Raises
    ------
    KernelError
        When no lab or no generator can be made here.
    """
    generator, worker = cores_for_queue(0, 1)
    with (
        Lab(backend=backend) as lab,
        closing(Traffic(lab.peer, lab.port, size=FRAME_BYTES, cpu=generator)) as traffic,
    ):
        yield Wire(lab, traffic, worker)
