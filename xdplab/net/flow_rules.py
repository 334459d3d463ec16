"""Rules of a card (ntuple filters) that send a flow to a queue, or drop it, before the hash.

By ethtool's ioctl: netlink does not carry them. Acts on the network namespace of the calling
thread: call it through `Namespace.run`.
"""

from __future__ import annotations

import ctypes
import errno
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import Any

from xdplab.core.calls import public
from xdplab.core.checks import choice, text, whole
from xdplab.core.errors import ConfigurationError
from xdplab.net.netlink import ethtool, request

# linux/ethtool.h
_COUNT, _ONE, _ALL, _DELETE, _INSERT = range(0x2E, 0x33)  # ETHTOOL_GRXCLSRLCNT to SRXCLSRLINS
_TYPES = {("tcp", 4): 0x01, ("udp", 4): 0x02, ("tcp", 6): 0x05, ("udp", 6): 0x06}
_KINDS = {kind: key for key, kind in _TYPES.items()}
_DROP = (1 << 64) - 1  # RX_CLS_FLOW_DISC
_DRIVER_CHOOSES = 0x8000_0000  # RX_CLS_LOC_SPECIAL, in the count's data
_ANY_PLACE = 0xFFFF_FFFF  # RX_CLS_LOC_ANY
_MOST_QUEUES = (1 << 16) - 1


class _Spec(ctypes.Structure):
    """`struct ethtool_rx_flow_spec`."""

    _fields_ = (
        ("flow_type", ctypes.c_uint32),
        ("values", ctypes.c_uint8 * 52),
        ("more_values", ctypes.c_uint8 * 20),
        ("masks", ctypes.c_uint8 * 52),
        ("more_masks", ctypes.c_uint8 * 20),
        ("ring_cookie", ctypes.c_uint64),
        ("location", ctypes.c_uint32),
    )


def _request_of(places: int) -> type[ctypes.Structure]:
    """Return `struct ethtool_rxnfc` with room for so many places of rules."""

    class Request(ctypes.Structure):
        _fields_ = (
            ("cmd", ctypes.c_uint32),
            ("flow_type", ctypes.c_uint32),
            ("data", ctypes.c_uint64),
            ("spec", _Spec),
            ("rule_count", ctypes.c_uint32),
            ("places", ctypes.c_uint32 * max(places, 1)),
        )

    return Request


@public
@dataclass(frozen=True)
class FlowRule:
    """A rule of a card: which flow goes to which queue.

    Parameters
    ----------
    protocol
        ``"udp"`` or ``"tcp"``.
    queue
        Where its packets go; None drops them.
    source, destination
        An address each, IPv4 or IPv6, or the empty string for any.
    source_port, destination_port
        A port each, or None for any.

    Raises
    ------
    ConfigurationError
        For another protocol, an address or port that is none, or addresses of two families.
    """

    protocol: str
    queue: int | None
    source: str = ""
    destination: str = ""
    source_port: int | None = None
    destination_port: int | None = None

    def __post_init__(self) -> None:
        choice("protocol", self.protocol, ("udp", "tcp"))
        if self.queue is not None:
            whole("queue", self.queue, 0, _MOST_QUEUES)
        for name in ("source_port", "destination_port"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), 0, 65_535)
        families = set()
        for name in ("source", "destination"):
            if text(name, getattr(self, name)):
                address = _address(name, getattr(self, name))
                families.add(address.version)
                object.__setattr__(self, name, str(address))  # as the kernel's are read
        if len(families) > 1:
            raise ConfigurationError(
                f"source={self.source!r} and destination={self.destination!r} must be of one "
                "family, IPv4 or IPv6."
            )

    def __str__(self) -> str:
        ends = [
            f"{word} {address or 'any'}{'' if port is None else f' port {port}'}"
            for word, address, port in (
                ("from", self.source, self.source_port),
                ("to", self.destination, self.destination_port),
            )
            if address or port is not None
        ]
        goes = "dropped" if self.queue is None else f"queue {self.queue}"
        return f"{' '.join([self.protocol, *ends])}: {goes}"


def read_rules(name: str) -> dict[int, FlowRule | str]:
    """Read the rules of an interface by their places, as text where they are of another kind.

    Raises
    ------
    KernelError
        With EOPNOTSUPP where its driver has no rules.
    """
    with ethtool(name, f"read the rules of {name}") as device:
        count = _request_of(0)(cmd=_COUNT)
        request(device, count)
        listed = _request_of(count.rule_count)(
            cmd=_ALL, data=count.rule_count, rule_count=count.rule_count
        )
        request(device, listed)
        found: dict[int, FlowRule | str] = {}
        for place in listed.places[: listed.rule_count]:
            one = _request_of(0)(cmd=_ONE, spec=_Spec(location=place))
            request(device, one)
            found[int(place)] = rule_of(one.spec)
    return found


def add_rule(name: str, rule: FlowRule) -> int:
    """Add a rule to those of an interface, at a free place.

    Returns
    -------
    int
        Its place.

    Raises
    ------
    KernelError
        When the card can't hold it: it has no rules, none of this kind, or no place left.
    """
    tried = f"add the rule {str(rule)!r} to {name}"
    remedies = {
        errno.EOPNOTSUPP: f"The driver of {name} takes no such rule. `ethtool -k {name}` shows "
        "whether it has ntuple-filters, and whether they are on; Engine(match=...) chooses "
        "packets in the XDP program.",
        errno.EINVAL: f"The driver of {name} takes no such rule, or has no such queue: "
        f"`ethtool -l {name}` shows its queues.",
        errno.ENOSPC: f"The card has no place left: `ethtool -n {name}` lists its rules.",
    }
    with ethtool(name, tried, remedies) as device:
        count = _request_of(0)(cmd=_COUNT)
        request(device, count)
        if count.data & _DRIVER_CHOOSES:
            place = _ANY_PLACE
        else:
            listed = _request_of(count.rule_count)(
                cmd=_ALL, data=count.rule_count, rule_count=count.rule_count
            )
            request(device, listed)
            # Of several rules that match, cards take the first; ours come after the others.
            places = set(range(int(listed.data)))
            free = places - set(listed.places[: listed.rule_count])
            if not free:
                raise OSError(errno.ENOSPC, "no place for a rule")
            place = max(free)
        asked = _request_of(0)(cmd=_INSERT, spec=spec_of(rule, place))
        request(device, asked)
    return int(asked.spec.location)


def delete_rule(name: str, place: int) -> None:
    """Take a rule off an interface.

    Raises
    ------
    KernelError
        With ENOENT, or what the driver says in its place, where there is none.
    """
    with ethtool(name, f"delete rule {place} of {name}") as device:
        request(device, _request_of(0)(cmd=_DELETE, spec=_Spec(location=place)))


def spec_of(rule: FlowRule, place: int) -> _Spec:
    """Return a rule as the kernel takes it."""
    address = rule.source or rule.destination
    family = ip_address(address).version if address else 4
    width = 4 if family == 4 else 16
    values = masks = b""
    for each in (rule.source, rule.destination):
        values += ip_address(each).packed if each else bytes(width)
        masks += (b"\xff" if each else b"\0") * width
    for port in (rule.source_port, rule.destination_port):
        values += (port or 0).to_bytes(2)
        masks += b"\0\0" if port is None else b"\xff\xff"
    spec = _Spec(
        flow_type=_TYPES[rule.protocol, family],
        ring_cookie=_DROP if rule.queue is None else rule.queue,
        location=place,
    )
    spec.values[: len(values)] = values
    spec.masks[: len(masks)] = masks
    return spec


def rule_of(spec: Any) -> FlowRule | str:
    """Return a rule of the kernel's; its type in words where a `FlowRule` can't say it."""
    other = f"a rule of another kind, flow type {spec.flow_type:#x}"
    if spec.flow_type not in _KINDS or any(spec.more_masks):
        return other
    protocol, family = _KINDS[spec.flow_type]
    width = 4 if family == 4 else 16
    cuts = (0, width, 2 * width, 2 * width + 2, 2 * width + 4)
    values, masks = bytes(spec.values), bytes(spec.masks)
    taken: list[bytes | None] = []
    for part in (slice(*pair) for pair in pairwise(cuts)):
        mask = set(masks[part])
        if mask not in ({0}, {255}):  # a network, or a range of ports
            return other
        taken.append(values[part] if mask == {255} else None)
    if any(masks[cuts[-1] :]):  # the type of service
        return other
    source, destination = ("" if each is None else str(ip_address(each)) for each in taken[:2])
    ports = (None if each is None else int.from_bytes(each) for each in taken[2:])
    queue = None if spec.ring_cookie == _DROP else int(spec.ring_cookie)
    return FlowRule(protocol, queue, source, destination, *ports)


def _address(name: str, value: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(value)
    except ValueError:
        raise ConfigurationError(f"{name}={value!r} must be an IPv4 or IPv6 address.") from None
