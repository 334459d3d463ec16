"""The interface of a backend: all operations that need privilege, or that the soft NIC simulates.

Labs, engines and generators call the backend of their namespace, and do not depend on which it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from xdplab.refusals.remedies import Asked, Place

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from xdplab.backends.plan import LabPlan
    from xdplab.native.paths import Kind
    from xdplab.net.host import Host
    from xdplab.net.interface import Interface
    from xdplab.net.napi import Napi
    from xdplab.send.generator import Generator


class SoftirqReader(Protocol):
    """Adds up time in softirqs, while it is open."""

    def nanoseconds(self, cores: set[int]) -> int:
        """Read the time so far, in ns, of these cores together."""


@dataclass(frozen=True)
class PortRequest:
    """A port of an engine to be opened."""

    engine: Any
    """``struct xdplab_engine *``."""
    owner: object
    """Holds engine and config, so that neither is freed while a call uses them."""
    number: int
    """Index of the port."""
    interface: Interface
    asked: Asked
    """Settings of the engine."""
    kind: Kind
    """Kind of the receive path."""
    queues: tuple[int, ...]
    """The queues that have a worker."""
    program: str
    """The XDP program's name in ``bpf/``."""
    config: Any
    """``struct xdplab_config *``."""
    busy_poll_budget: int
    """Packets a poll (the knob as it is now)."""

    @property
    def place(self) -> Place:
        """The place of a refusal, for its remedy."""
        return Place(self.interface, self.asked)


class Backend(ABC):
    """Makes labs, and does the privileged work for engines and generators in them."""

    name: str
    """Its name for `Lab`."""
    made: str
    """Description of its labs, for `Lab.note`."""
    simulated = False
    """Whether a soft NIC simulates its labs, in place of the kernel."""
    shares_umem = False
    """Whether another process registers an engine's UMEM, which must be in a memfd then."""

    @abstractmethod
    def refusal(self) -> str:
        """Return why it can't be used here and the remedy, in a sentence; "" where it can."""

    @abstractmethod
    def make_lab(self, plan: LabPlan) -> tuple[Host, Host]:
        """Make the two hosts of a lab, port and peer, with the wire between them up and quiet.

        Raises
        ------
        KernelError
            When the kernel refuses. Nothing half-made is left.
        """

    @abstractmethod
    def remove_lab(self, port: Host, peer: Host) -> None:
        """Remove the wire and release both hosts, later if that can't be done now."""

    def engine_words(self, interfaces: Sequence[Interface]) -> dict[str, Any]:
        """Return fields of ``struct xdplab_config`` for an engine on interfaces of this backend."""
        return {}

    @abstractmethod
    def open_port(self, request: PortRequest) -> None:
        """Open the sockets of an engine's port, and attach its XDP program to the interface.

        Raises
        ------
        KernelError
            When the kernel refuses. Nothing half-made is left.
        """

    @abstractmethod
    def open_generator(self, interface: Interface, traffic: Mapping[str, Any]) -> Generator:
        """Open a generator that sends out of an interface.

        Parameters
        ----------
        interface
            The sender's.
        traffic
            The fields of ``struct xdplab_traffic`` but for `program`. In a simulated lab ``replay``
            may be a `Replay`.

        Raises
        ------
        KernelError
            When the kernel refuses.
        """

    @abstractmethod
    def napi_ids(self, interface: Interface) -> dict[int, int]:
        """Find the NAPI behind each queue, as `xdplab.net.napi.napi_ids`."""

    @abstractmethod
    def read_napi(self, interface: Interface, queues: Sequence[int]) -> list[Napi]:
        """Read the settings of the NAPI behind each queue; a queue without one is left out."""

    @abstractmethod
    def set_napi(self, interface: Interface, number: int, settings: Mapping[str, int]) -> None:
        """Change settings of one of an interface's NAPI, as `xdplab.net.napi.set_napi`."""

    @abstractmethod
    def open_softirq(self) -> AbstractContextManager[SoftirqReader]:
        """Measure the time in network softirqs.

        Raises
        ------
        KernelError
            When it can't be measured.
        """
