"""Settings of an interface, read before it is lent and restored when it returns.

Acts on the network namespace of the calling thread. Addresses, routes and queueing disciplines are
not part of it: the kernel drops them whenever an interface changes its namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from xdplab.core.errors import KernelError
from xdplab.net.interface_names import names_of_link
from xdplab.net.napi import Napi, read_queues, set_napi
from xdplab.net.netlink import ethtool, netlink

# As rtnetlink calls them; those that a kernel does not know are left out.
_ATTRIBUTES = {
    "mtu": "IFLA_MTU",
    "address": "IFLA_ADDRESS",
    "broadcast": "IFLA_BROADCAST",
    "ifalias": "IFLA_IFALIAS",
    "txqlen": "IFLA_TXQLEN",
    "group": "IFLA_GROUP",
    "linkmode": "IFLA_LINKMODE",
    "gso_max_size": "IFLA_GSO_MAX_SIZE",
    "gso_max_segs": "IFLA_GSO_MAX_SEGS",
    "gro_max_size": "IFLA_GRO_MAX_SIZE",
}
_UP = 1
# linux/if.h: DEBUG, NOTRAILERS, NOARP, PROMISC, ALLMULTI, MULTICAST, PORTSEL, AUTOMEDIA, DYNAMIC
_FLAGS = 0x4 | 0x20 | 0x80 | 0x100 | 0x200 | 0x1000 | 0x2000 | 0x4000 | 0x8000
_OF_THE_DRIVER = ("channels", "rings", "coalesce")
_NAPI = ("threaded", "defer_hard_irqs", "gro_flush_timeout", "irq_suspend_timeout")


class LinkSettings(NamedTuple):
    """Settings of one interface."""

    name: str
    up: bool
    attributes: dict[str, Any]
    flags: int
    other_names: frozenset[str]
    features: dict[str, bool]
    """Offloads, as they were requested."""
    driver: dict[str, dict[str, int]]
    """Channels, rings, coalescing."""
    napi: list[Napi]

    @classmethod
    def read(cls, index: int) -> LinkSettings:
        """Read the settings of an interface."""
        with netlink(f"read the settings of interface {index}") as route:
            (link,) = route.get_links(index)
        name = link.get("ifname")
        attributes = {key: link.get_attr(each) for key, each in _ATTRIBUTES.items()}
        return cls(
            name=name,
            up=bool(link["flags"] & _UP),
            attributes={key: value for key, value in attributes.items() if value is not None}
            | {"ifalias": attributes["ifalias"] or ""},
            flags=link["flags"] & _FLAGS,
            other_names=frozenset(names_of_link(link)[1:]),
            features=_read_features(name),
            driver={each: found for each in _OF_THE_DRIVER if (found := _read_driver(name, each))},
            napi=_read_napi(index, link),
        )

    def put_back(self, index: int) -> Iterator[str]:
        """Restore settings that differ, on an interface with its old name; yield the failures."""
        now = LinkSettings.read(index)
        yield from _tried(lambda: self._put_back_features(now))
        for each, wanted in self.driver.items():
            if now.driver.get(each) != wanted:
                yield from _tried(lambda: _set_driver(self.name, each, wanted))  # noqa: B023 - at once
        for key, value in self.attributes.items():
            if now.attributes.get(key) != value:
                yield from _tried(lambda: _set_link(self.name, index, **{key: value}))  # noqa: B023
        if now.flags != self.flags:
            change = {"flags": self.flags, "change": _FLAGS}
            yield from _tried(lambda: _set_link(self.name, index, **change))
        if lost := self.other_names - now.other_names:
            yield from _tried(lambda: _add_names(self.name, index, lost))
        if self.up:
            yield from _tried(lambda: _set_link(self.name, index, state="up"))
        yield from _tried(lambda: self._put_back_napi(index))

    def _put_back_features(self, now: LinkSettings) -> None:
        changed = {key: on for key, on in self.features.items() if now.features.get(key) != on}
        if changed:
            with ethtool(self.name, f"put the offloads of {self.name} back") as device:
                features = device.get_features()
                for key, on in changed.items():
                    features.set_value(key, on)
                device.set_features(features)

    def _put_back_napi(self, index: int) -> None:
        if self.napi:
            with netlink(f"look at interface {index}") as route:
                (link,) = route.get_links(index)
            # Its instances have new ids, in the same order.
            for before, now in zip(self.napi, _read_napi(index, link), strict=False):
                wanted = {
                    each: getattr(before, each)
                    for each in _NAPI
                    if getattr(before, each) not in (None, getattr(now, each))
                }
                if wanted:
                    set_napi(now.id, wanted)


def _tried(change: Callable[[], None]) -> Iterator[str]:
    try:
        change()
    except KernelError as error:
        yield str(error)


def _set_link(name: str, index: int, **values: object) -> None:
    with netlink(f"put {' and '.join(values)} of {name} back") as route:
        route.link("set", index=index, **values)


def _add_names(name: str, index: int, lost: frozenset[str]) -> None:
    with netlink(f"put the names {', '.join(sorted(lost))} of {name} back") as route:
        route.link("property_add", index=index, altname=sorted(lost))


def _read_features(name: str) -> dict[str, bool]:
    with suppress(KernelError), ethtool(name, f"read the offloads of {name}") as device:
        features = device.get_features()
        return {key: features.is_requested(key) for key, *_ in features if _changes(features, key)}
    return {}


def _changes(features: Any, key: str) -> bool:
    return bool(key) and features.is_available(key) and not features.is_never_changed(key)


def _read_driver(name: str, what: str) -> dict[str, int]:
    with suppress(KernelError), ethtool(name, f"read {what} of {name}") as device:
        found = getattr(device, f"get_{what}")()
        fields = (field for field, _ in found._fields_)
        # Fields that begin with `max_` are the driver's limits, no settings.
        return {
            each: int(getattr(found, each))
            for each in fields
            if each != "cmd" and not each.startswith("max_")
        }
    return {}


def _set_driver(name: str, what: str, wanted: dict[str, int]) -> None:
    with ethtool(name, f"put {what} of {name} back") as device:
        found = getattr(device, f"get_{what}")()
        for each, value in wanted.items():
            setattr(found, each, value)
        getattr(device, f"set_{what}")(found)


def _read_napi(index: int, link: Any) -> list[Napi]:
    count = int(link.get("num_rx_queues") or 0)
    with suppress(KernelError):
        return read_queues(index, count, range(count))
    return []
