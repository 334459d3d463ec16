"""The interface of a backend: all operations that need privilege, or that the soft NIC simulates.

Labs, engines and generators call the backend of their namespace, and do not depend on which it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from xdplab.native import lib
from xdplab.refusals.errors import new_error, raise_error
from xdplab.refusals.remedies import Asked, Place

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from xdplab.backends.lab_plan import LabPlan
    from xdplab.backends.network_plan import NetworkPlan
    from xdplab.core.closing import Closing
    from xdplab.native.paths import Kind
    from xdplab.net.host import Host
    from xdplab.net.interface import Interface
    from xdplab.net.napi import Napi
    from xdplab.programs.maps import MapFacts
    from xdplab.programs.printed_lines import PrintedLines
    from xdplab.programs.running import Ran
    from xdplab.programs.statistics import RunCounts
    from xdplab.send.generator import Generator


class SoftirqReader(Protocol):
    """Adds up time in softirqs, while it is open."""

    def nanoseconds(self, cores: set[int]) -> int:
        """Read the time so far, in ns, of these cores together."""


class LoadedProgram(Protocol):
    """An XDP program of the user's in the kernel, until `close`, which leaves its links."""

    @property
    def maps(self) -> Sequence[tuple[MapFacts, int]]:
        """Its maps, with descriptors that the caller closes."""

    def attach(self, interface: Interface, attach_mode: int) -> int:
        """Attach it to an interface of the namespace that it was loaded for.

        Returns
        -------
        int
            The link's descriptor, which the caller closes.

        Raises
        ------
        KernelError
            When the kernel refuses.
        """

    def replace(self, link: int) -> None:
        """Take the place of the program of a link, by the link's descriptor.

        Raises
        ------
        KernelError
            When the kernel refuses. The present program stays.
        """

    def run(
        self, interface: Interface, frames: Sequence[bytes], repeat: int, queue: int
    ) -> list[Ran]:
        """Run it on frames, as `xdplab.programs.running.run_program` does on one.

        Raises
        ------
        KernelError
            When the kernel refuses.
        """

    def turn_on_statistics(self) -> Closing:
        """Have the kernel count runs, until what is returned is closed.

        Raises
        ------
        PermissionRefusedError
            Without CAP_SYS_ADMIN.
        """

    def runs(self) -> RunCounts:
        """Read how often it ran while statistics were on."""

    def open_printed(self) -> PrintedLines:
        """Receive what BPF programs print, until what is returned is closed.

        Raises
        ------
        PermissionRefusedError
            When this process is not root; through a broker.
        KernelError
            When the kernel has no tracefs.
        """

    def close(self) -> None:
        """Let go of the program. A second call does nothing."""


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
    xskmap: int | None
    """Descriptor of the XSKMAP of the user's own program, which the user attaches; None where the
    backend attaches one of ours."""

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
    def make_network(self, plan: NetworkPlan) -> list[tuple[Host, Host]]:
        """Make the hosts of a network, with their wires up and quiet; return each wire's ends.

        Raises
        ------
        ConfigurationError
            Where a wire is simulated, which joins two hosts alone.
        KernelError
            When the kernel refuses. Nothing half-made is left.
        """

    @abstractmethod
    def remove_wires(self, wires: Sequence[tuple[Host, Host]]) -> None:
        """Remove wires and release the hosts at their ends, later if that can't be done now."""

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
            The fields of ``struct xdplab_traffic`` but for `program`; ``replay``, a `Replayed`,
            where it is to send a capture file.

        Raises
        ------
        KernelError
            When the kernel refuses.
        """

    @abstractmethod
    def load_program(self, interface: Interface, data: bytes, name: str) -> LoadedProgram:
        """Load an XDP program of the user's with its maps, for the namespace of an interface.

        Parameters
        ----------
        interface
            An interface of that namespace: its XSKMAPs get room for its queues.
        data
            The object file.
        name
            As `xdplab.programs.spec.parse` takes it.

        Raises
        ------
        ConfigurationError
            When the file can't be loaded, or the labs are simulated.
        KernelError
            When the kernel refuses. Nothing half-made is left.
        """

    @abstractmethod
    def napi_ids(self, interface: Interface) -> dict[int, int]:
        """Find the NAPI behind each queue, as `xdplab.net.napi.napi_ids`."""

    @abstractmethod
    def read_napi(self, interface: Interface, queues: Sequence[int]) -> list[Napi]:
        """Read the settings of the NAPI behind each queue; a queue without one is left out."""

    @abstractmethod
    def set_napi(
        self, interface: Interface, number: int, settings: Mapping[str, int | str]
    ) -> None:
        """Change settings of one of an interface's NAPI, as `xdplab.net.napi.set_napi`."""

    @abstractmethod
    def open_softirq(self) -> AbstractContextManager[SoftirqReader]:
        """Measure the time in network softirqs.

        Raises
        ------
        KernelError
            When it can't be measured.
        """


def take_xskmap(request: PortRequest) -> None:
    """Let an opened port use the XSKMAP of the user's own program.

    Raises
    ------
    KernelError
        When this process has no descriptor left. The port is closed.
    """
    place, error = (request.number, request.interface.index), new_error()
    if lib.xdplab_engine_take_map(request.engine, *place, request.xskmap, error):
        raise_error(error, request.place)


def xskmap_entries(interface: Interface) -> int:
    """Return the entries that an XSKMAP gets for an interface: a socket for each of its queues."""
    return max(interface.queues, int(lib.XDPLAB_MAP_QUEUES))
