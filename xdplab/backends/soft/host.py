"""Hosts of a simulated lab: the parts of a real host that need no kernel."""

from __future__ import annotations

import errno
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, NoReturn, Self

from xdplab.backends.lab_plan import NAMES, NETWORKS, PORT_SIDE, LabPlan
from xdplab.backends.soft.faults import Faults
from xdplab.backends.soft.wire import ENDS, Wire
from xdplab.core.checks import instance_of
from xdplab.core.errors import ClosedError, ConfigurationError, InterfaceGoneError, XdplabError
from xdplab.net.host import Host, Parameters, PingResult, Result
from xdplab.net.interface import Interface, Look
from xdplab.net.link_state import LinkState
from xdplab.net.namespace import Namespace

if TYPE_CHECKING:
    from xdplab.send.generator import NativeGenerator

_INDICES = {PORT_SIDE: 3}  # as in a real lab, where the other one's is 2


class SoftNamespace(Namespace):
    """The namespace of one end of a simulated wire: nothing can run in it.

    Parameters
    ----------
    wire, end
        The end.
    """

    backend_name = "soft"
    simulated = True

    def __init__(self, wire: Wire, end: int) -> None:
        self.wire, self.end = wire, end
        self.faults = Faults(wire, end)
        self.generator: weakref.ref[NativeGenerator] | None = None
        """The end's generator, as long as there is one."""

    @property
    def identity(self) -> tuple[int, int]:
        """Its identity. No real namespace has such a device number."""
        return -1 - self.end, self.wire.serial

    @property
    def fd(self) -> int:
        """There is no descriptor of it.

        Raises
        ------
        ConfigurationError
            Always, and ClosedError after `close`.
        """
        self._refuse()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self.wire.closed

    def run(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Raise: a function run here would reach the real network.

        Raises
        ------
        ConfigurationError
            Always, and ClosedError after `close`.
        """
        self._refuse()

    def close(self) -> None:
        """Close the wire, and so the other end too."""
        self.wire.close()

    def __repr__(self) -> str:
        return f"<SoftNamespace{' closed' if self.closed else ''}>"

    def _refuse(self) -> NoReturn:
        if self.closed:
            raise ClosedError("this simulated host was closed, with the lab that it belonged to")
        raise ConfigurationError(
            "a simulated host has no network stack: no function, socket, command or setting can "
            "reach it. Send with Traffic or `ping`, or make a real lab: Lab(backend='kernel')."
        )


@dataclass(frozen=True, repr=False)
class SoftInterface(Interface):
    """One end of a simulated wire."""

    namespace: SoftNamespace

    def link_statistics(self) -> dict[str, int]:
        """Read what the simulated kernel counted on the link."""
        return self.namespace.wire.link_statistics(self.namespace.end)

    def driver_statistics(self) -> dict[str, int]:
        """Read what the simulated driver counted, under veth's names."""
        return self.namespace.wire.driver_statistics(self.namespace.end)

    def faults(self) -> dict[str, int]:
        """Return the `Faults` by name, without those of 0."""
        return self.namespace.faults.every()

    def leads_to(self, other: Interface) -> bool:
        """Tell whether the other one is the other end of this wire."""
        there = instance_of("other", other, Interface, "an Interface").namespace
        return (
            isinstance(there, SoftNamespace)
            and there.wire is self.namespace.wire
            and there.end != self.namespace.end
        )

    def now(self) -> Self:
        """Look at it again: nothing about it changes until the wire is cut."""
        if self.namespace.wire.is_cut:
            raise InterfaceGoneError(f"look {self.name} up again", errno.ENODEV)
        return self

    def is_up(self) -> bool:
        """Tell whether the wire was not cut."""
        return not self.namespace.wire.is_cut

    def current_name(self) -> str:
        """Return its name, which stays."""
        return self.name

    def look(self) -> Look:
        """Read what was counted; frames can pass until the wire is cut."""
        return Look(self.name, self.mac, self.mtu, self.link_statistics(), LinkState(self.name))

    def carries_default_route(self) -> bool:
        """Tell that there is no route through it."""
        return False


class SoftHost(Host):
    """One side of a simulated wire.

    Parameters
    ----------
    interface
        The host's end of the wire.
    """

    interface: SoftInterface

    @property
    def faults(self) -> Faults:
        """Faults of packets that arrive here or are sent from here."""
        return self.interface.namespace.faults

    def _ping(
        self,
        target: IPv4Address | IPv6Address,
        count: int,
        interval: float,
        size: int,
        timeout: float,
    ) -> PingResult:
        if not any(target in network for network in NETWORKS):
            raise XdplabError(
                f"could not ping {target}: Network is unreachable. A lab's hosts are in "
                f"{' and '.join(map(str, NETWORKS))}."
            )
        namespace = self.interface.namespace
        sent, received = namespace.wire.ping(
            namespace.end, target, requests=count, interval=interval, size=size, timeout=timeout
        )
        return PingResult(sent, received)

    def _brief(self) -> str:
        return f"{super()._brief()[:-1]} [simulated]>"


def soft_host(plan: LabPlan, side: int, wire: Wire) -> SoftHost:
    """Make the host at one side of a wire."""
    namespace = SoftNamespace(wire, ENDS[side])
    return SoftHost(
        SoftInterface(
            name=NAMES[side],
            index=_INDICES.get(side, 2),
            namespace=namespace,
            mac=plan.mac(side),
            ipv4=str(plan.ipv4(side)),
            ipv6=str(plan.ipv6(side)),
            queues=plan.queues,
            mtu=plan.mtu,
            driver="soft",
        )
    )
