"""How an engine is set up, for reading: what can be changed, `Engine.reconfigure` changes."""

from __future__ import annotations

from xdplab.configuration.configuration import Configuration
from xdplab.engine.native_engine import NativeEngine
from xdplab.knobs.knobs import Knobs
from xdplab.net.stream import Stream


class Configured(Knobs):
    """The settings of an engine's sockets and workers, as they are now."""

    _native: NativeEngine

    @property
    def configuration(self) -> Configuration:
        """Settings whose change needs new sockets."""
        return self._native.configuration

    @property
    def path(self) -> str:
        """The receive path, one of `PATHS`."""
        return self.configuration.path

    @property
    def queues(self) -> tuple[int, ...]:
        """Its queues, each with a worker on each interface."""
        return self.configuration.queues

    @property
    def cpus(self) -> tuple[int, ...]:
        """The workers' cores."""
        return self.configuration.cpus

    @property
    def ring_size(self) -> int:
        """Entries of the RX, TX and completion rings."""
        return self.configuration.ring_size

    @property
    def attach(self) -> str:
        """How the XDP program is attached: "native" or "skb"."""
        return self.configuration.attach

    @property
    def stream(self) -> Stream | None:
        """The `Stream` that the action "generate" sends."""
        return self.configuration.stream

    @property
    def zero_copy(self) -> bool:
        """Whether the driver fills and sends the UMEM's frames without copying them."""
        return self._native.zero_copy

    @property
    def huge_pages(self) -> bool:
        """Whether the UMEM is made of huge pages."""
        return self._native.huge_pages

    @property
    def simulated(self) -> bool:
        """Whether a soft NIC simulates it, in place of the kernel."""
        return self.configuration.interfaces[0].namespace.simulated

    @property
    def queue(self) -> int:
        """The first of its queues."""
        return self.queues[0]

    @property
    def cpu(self) -> int:
        """The first worker's core."""
        return self.cpus[0]
