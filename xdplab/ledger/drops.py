"""Why the kernel drops packets, by interface: its own reasons, counted at its tracepoints."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from xdplab.core.calls import public
from xdplab.core.checks import is_a, shown
from xdplab.core.closing import Closing
from xdplab.core.errors import ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.native import ffi, lib
from xdplab.native.handle import NativeHandle
from xdplab.native.objects import c_path
from xdplab.net.interface import Interface, name_now
from xdplab.net.namespace import on_a_thread
from xdplab.net.resolve import End, resolve
from xdplab.refusals.errors import new_error, raise_error

if TYPE_CHECKING:
    from xdplab.ledger.subjects import CountedEngine, CountedTraffic

_MOST, _ROOM = 64, 4096  # entries of the program's maps
_VERDICTS = ("ABORTED", "DROP", "PASS", "TX", "REDIRECT")  # enum xdp_action (linux/bpf.h)

_STACK, _XDP, _REDIRECT = "stack", "XDP", "redirect"
_PLACES = {
    lib.XDPLAB_DROPPED_BY_STACK: _STACK,
    lib.XDPLAB_DROPPED_BY_XDP: _XDP,
    lib.XDPLAB_DROPPED_BY_REDIRECT: _REDIRECT,
}

_MEANINGS: Mapping[str, str] = {
    "NOT_SPECIFIED": "the kernel's code gives no reason there",
    "NO_SOCKET": "no program listens on their port",
    "OTHERHOST": "their MAC address is another host's",
    "IP_NOPROTO": "nothing here takes their IP protocol",
    "UNHANDLED_PROTO": "nothing here takes their EtherType",
    "IP_INADDRERRORS": "their destination is no address of this host, which does not forward",
    "IP_OUTNOROUTES": "there is no route to their destination",
    "IP_RPFILTER": "no route back to their sender leaves by this interface (rp_filter)",
    "IP_CSUM": "their IPv4 checksum is wrong",
    "UDP_CSUM": "their UDP checksum is wrong, as where the sender left it to its device",
    "TCP_CSUM": "their TCP checksum is wrong, as where the sender left it to its device",
    "ICMP_CSUM": "their ICMP checksum is wrong",
    "PKT_TOO_SMALL": "they end before their headers do",
    "PKT_TOO_BIG": "they are longer than the MTU",
    "SOCKET_RCVBUFF": "the socket's buffer was full",
    "SOCKET_FILTER": "the socket's own filter drops them",
    "NETFILTER_DROP": "a rule of the firewall drops them",
    "CPU_BACKLOG": "the core's backlog was full (net.core.netdev_max_backlog)",
    "FULL_RING": "the receiving ring was full",
    "NEIGH_FAILED": "nobody answers for their next hop (ARP, neighbour discovery)",
    "NEIGH_QUEUEFULL": "too many wait for the address of their next hop",
    "QDISC_DROP": "the queueing discipline dropped them",
    "TC_INGRESS": "a filter of tc drops them",
    "XDP": "an XDP program in the stack (attach='skb') drops them",
    "DEV_READY": "the interface was down, or its ring was full",
    "TAP_FILTER": "the tap's filter drops them",
}
"""Of the reasons that are met most (include/net/dropreason-core.h, Linux 6.18)."""


class Drop(NamedTuple):
    """Packets of an interface that the kernel dropped for one reason."""

    interface: str
    where: str
    """``"stack"``, ``"XDP"`` after a verdict that could not be carried out, or ``"redirect"``."""
    reason: str
    """The kernel's name: of ``enum skb_drop_reason``, of a verdict, or of an errno."""
    packets: int

    @property
    def meaning(self) -> str:
        """What the reason means, where it is one of those that are met most; else empty."""
        return _MEANINGS.get(self.reason, "") if self.where == _STACK else ""

    def words(self) -> str:
        """Say it in a sentence."""
        packets = counted(self.packets, "packet")
        if self.where == _XDP:
            return (
                f"{packets} dropped on {self.interface} after the XDP program's verdict "
                f"{self.reason}, which could not be carried out, or is none."
            )
        if self.where == _REDIRECT:
            return (
                f"{packets} dropped on {self.interface} where its XDP program redirected them: "
                f"{self.reason}."
            )
        meaning = f": {self.meaning}" if self.meaning else ""
        return f"{packets} dropped by the stack of {self.interface}, {self.reason}{meaning}."


@public
class DropReasons(Tabled, FixedNames, Closing):
    """Counts the packets that the kernel drops, by interface and reason, until `close`.

    It counts in the kernel, where packets are dropped and nowhere else: a path on which none is
    dropped is as quick with it as without.

    Parameters
    ----------
    interfaces
        A side of a lab (``lab.port``), an `Interface`, or the name of a real one; or several, in a
        list: up to 64.

    Raises
    ------
    ConfigurationError
        For what is no interface, and for a simulated one, whose packets the kernel never sees.
    PermissionRefusedError
        Without CAP_PERFMON and CAP_BPF.
    KernelError
        When the kernel refuses; it needs Linux 5.17 with its own types (/sys/kernel/btf/vmlinux).
    """

    def __init__(self, interfaces: End | Sequence[End]) -> None:
        is_list = is_a(interfaces, list) or is_a(interfaces, tuple)
        several: Sequence[Any] = interfaces if is_list else [interfaces]  # type: ignore[assignment]
        if not 0 < len(several) <= _MOST:
            raise ConfigurationError(
                f"interfaces={shown(interfaces)} must be 1 to {_MOST} of them, as in "
                "DropReasons([lab.port, lab.peer])."
            )
        # A ledger's interfaces may be down by now: that is one reason to lose packets.
        found = [
            each if is_a(each, Interface) else resolve(each, True, "interfaces") for each in several
        ]
        for each in found:
            if each.namespace.simulated:
                raise ConfigurationError(
                    f"interfaces={shown(interfaces)}: {each.name} is simulated, and the kernel "
                    "never sees its packets. Take a real lab, Lab(backend='kernel')."
                )
        self.interfaces = tuple(found)
        self._places = {(each.namespace.identity[1], each.index): each for each in found}
        self._handle = NativeHandle(
            lib.xdplab_drops_give_back, "these counts were closed: DropReasons(lab.port)."
        )
        places = ffi.new("struct xdplab_drop_place[]", list(self._places))
        error = new_error()
        arguments = c_path("drops"), places, len(places), error
        if not self._handle.open(on_a_thread, lib.xdplab_drops_open, *arguments, kept=arguments):
            raise_error(error)

    def read(self) -> tuple[Drop, ...]:
        """Read the counts so far, the largest first.

        Raises
        ------
        ClosedError
            After `close`.
        """
        found = ffi.new("struct xdplab_drop[]", _ROOM)
        with self._handle.lock:
            count = max(lib.xdplab_drops_read(self._handle.pointer, found, _ROOM), 0)
            drops = [self._drop(found[place]) for place in range(count)]
        return tuple(sorted(drops, key=lambda drop: (-drop.packets, drop)))

    def close(self) -> None:
        """Count no more."""
        self._handle.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle.closed

    def _drop(self, found: Any) -> Drop:
        where, cause = _PLACES[found.kind], int(found.cause)
        if where == _STACK:
            named = ffi.string(lib.xdplab_drops_reason(self._handle.pointer, cause)).decode()
        elif where == _XDP:
            named = _VERDICTS[cause] if 0 <= cause < len(_VERDICTS) else ""
        else:
            named = errno.errorcode.get(-cause, "")
        name = name_now(self._places[found.place.network, found.place.interface])
        return Drop(name, where, named or str(cause), int(found.packets))

    def _table(self) -> Table:
        if self.closed:
            return Table(self._brief())
        rows = [
            (drop.interface, drop.where, drop.reason, f"{drop.packets:,}", drop.meaning)
            for drop in self.read()
        ]
        headings = ("interface", "where", "reason", "packets", "meaning")
        title = f"Dropped by the kernel on {self._all()}"
        return Table(title if rows else f"{title}: nothing", rows, headings if rows else ())

    def _brief(self) -> str:
        return "<DropReasons closed>" if self.closed else f"<DropReasons of {self._all()}>"

    def _all(self) -> str:
        return ", ".join(map(name_now, self._places.values()))


def drop_reasons_of(engine: CountedEngine, traffic: CountedTraffic | None) -> DropReasons:
    """Watch the interfaces of an engine, and that of its generator.

    Raises
    ------
    ConfigurationError
        In a simulated lab.
    PermissionRefusedError, KernelError
        As of `DropReasons`.
    """
    if engine.simulated:
        raise ConfigurationError(
            "drop_reasons=True is the kernel's, which never sees the packets of a simulated lab. "
            "Leave it out, or take a real one, Lab(backend='kernel')."
        )
    senders_own = () if traffic is None else (traffic.sender.interface,)
    return DropReasons([*engine.interfaces, *senders_own])
