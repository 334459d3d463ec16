"""The wires of a benchmark that forwards: two labs, and between them two ports in one namespace.

```
 left.peer           left.port's namespace          right.peer
 generator ────────▶ port0  ──(forwarder)──▶ port1 ────────▶ counts
```

Both ports are in one namespace, so that the kernel's bridge, and programs without support for
namespaces, find both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from xdplab.bench.wire import FRAME_BYTES, Wire, unanswered
from xdplab.core.cores import cores_for_queue, worker_cores
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab
from xdplab.net.host import Host
from xdplab.net.interface import Interface
from xdplab.net.netlink import netlink

_NO_LINK_LOCAL_ADDRESS = 1  # IN6_ADDR_GEN_MODE_NONE: without an address it sends nothing itself


@dataclass(frozen=True)
class TwoWires(Wire):
    """Two wires, to be joined by a forwarder.

    Parameters
    ----------
    ports
        The forwarder's two interfaces, the generator's side first.
    far
        The host to which the frames are sent.
    """

    ports: tuple[Host, Host]
    far: Host

    def arrived(self) -> int:
        """Read the number of frames that reached the far host, by the kernel's count there."""
        return self.far.interface.link_statistics()["rx_packets"]

    @property
    def cores(self) -> tuple[int, int]:
        """Cores of the workers, one for each way: the idle way back avoids the generator's core."""
        others = [core for core in worker_cores(3) if core not in (self.worker, self.traffic.cpu)]
        return self.worker, others[0] if others else self.worker


@contextmanager
def open_two_wires() -> Iterator[TwoWires]:
    """Make two labs with their ports in one namespace, and a generator of the smallest frames.

    Raises
    ------
    KernelError
        When no lab or no generator can be made here.
    """
    generator, worker = cores_for_queue(0, 1)
    with (
        Lab() as left,
        Lab(number=1) as right,
        unanswered(right.peer),
        closing(Traffic(left.peer, right.peer, size=FRAME_BYTES, cpu=generator)) as traffic,
    ):
        second = _bring("port1", right.port.interface, left.port)
        yield TwoWires(left, traffic, worker, (left.port, second), right.peer)


def _bring(name: str, interface: Interface, host: Host) -> Host:
    """Move an interface into a host's namespace, under a new name."""
    namespace = host.interface.namespace

    def move() -> None:
        with netlink(f"move {interface.name} to another namespace") as route:
            route.link("set", index=interface.index, net_ns_fd=namespace.fd, ifname=name)

    interface.namespace.run(move)
    host.run(switch_on, name)
    return Host(Interface.find(name, namespace))


def switch_on(name: str) -> None:
    """Set an interface up in the thread's namespace, so that it sends nothing by itself."""
    mode = [("IFLA_INET6_ADDR_GEN_MODE", _NO_LINK_LOCAL_ADDRESS)]
    with netlink(f"set up {name}") as route:
        (index,) = route.link_lookup(ifname=name)
        families = {"attrs": [("AF_INET6", {"attrs": mode})]}
        route.link("set", index=index, IFLA_AF_SPEC=families)
        route.link("set", index=index, state="up")
