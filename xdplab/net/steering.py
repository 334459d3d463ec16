"""All settings by which a device chooses where and when packets go, read and written by name.

Beside those of device_settings.py these are the RSS table (``"table"``), its key (``"key"``), and
whether ports are a part of the hash (``"udp4_ports"`` and so on).
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, NamedTuple

from xdplab.net.interface import Interface
from xdplab.net.rss import FLOWS, Rss, read_rss, set_key, set_ports, set_table

_PORTS = "_ports"


class Steered(NamedTuple):
    """The settings of a device, as they were when they were read."""

    values: Mapping[str, Any]
    """By the names of `all_names`; without those that the driver does not have."""
    limits: Mapping[str, int]
    """The most that the driver takes, of those where it tells."""
    rss: Rss | None
    """How it spreads flows; None where the driver does not tell."""


NOTHING = Steered({}, {}, None)
"""Of an interface that has no such settings."""


def all_names() -> tuple[str, ...]:
    """Return all names, in an order in which they can be put back."""
    from xdplab.net.device_settings import NAMES  # noqa: PLC0415 - pyroute2 is slow to import

    return (*NAMES, "table", "key", *(f"{flow}{_PORTS}" for flow in FLOWS))


def read(interface: Interface) -> Steered:
    """Read an interface's settings.

    Raises
    ------
    KernelError
        When the kernel refuses.
    ClosedError
        When its namespace was closed.
    """
    from xdplab.net.device_settings import read_settings  # noqa: PLC0415 - as above

    name = interface.current_name()
    found = interface.namespace.run(read_settings, interface.index)
    values: dict[str, Any] = dict(found.values)
    rss = interface.namespace.run(read_rss, name)
    if rss is not None:
        values["table"] = rss.table
        if rss.key:
            values["key"] = rss.key
        values |= {f"{flow}{_PORTS}": hashed for flow, hashed in rss.hashes_ports.items()}
    return Steered(values, found.limits, rss)


def write(interface: Interface, name: str, value: Any, limit: int | None) -> None:
    """Change one setting.

    Parameters
    ----------
    interface
        The interface.
    name
        One of `all_names`.
    value
        Its new value.
    limit
        The most that the driver takes, where it tells.

    Raises
    ------
    PermissionRefusedError
        Without CAP_NET_ADMIN.
    KernelError
        When the kernel or the driver refuses; nothing has changed then.
    """
    there = interface.current_name()
    remedies = _remedies(there, name, limit)
    run = interface.namespace.run
    if name == "table":
        run(set_table, there, value, f"set the RSS table of {there}", remedies)
    elif name == "key":
        run(set_key, there, value, f"set the RSS key of {there}", remedies)
    elif name.endswith(_PORTS):
        flow = name.removesuffix(_PORTS)
        tried = f"{'hash' if value else 'leave out'} the ports of {flow} on {there}"
        run(set_ports, there, flow, value, tried, remedies)
    else:
        tried = f"set {name} of {there} to {int(value):,}"
        from xdplab.net.device_settings import set_setting  # noqa: PLC0415 - as above

        run(set_setting, interface.index, name, int(value), tried, remedies)


def _remedies(there: str, name: str, limit: int | None) -> Mapping[int, str]:
    shown = f"`ethtool {_LETTERS.get(name, '-x')} {there}` shows what it has"
    most = f"The driver takes {limit:,} at most, and some have a least: " if limit else ""
    refused = f"{most}{shown}." if most else f"The driver does not take that: {shown}."
    return {
        errno.EINVAL: refused,
        errno.ERANGE: refused,
        errno.EOPNOTSUPP: f"The driver can't change it: {shown}.",
        errno.EBUSY: "It is in use: set it before an engine is opened there.",
    }


_LETTERS = {
    **dict.fromkeys(("rx_ring", "tx_ring"), "-g"),
    **dict.fromkeys(("channels", "rx_channels", "tx_channels"), "-l"),
    **dict.fromkeys(("rx_usecs", "rx_frames", "tx_usecs", "tx_frames", "adaptive_rx"), "-c"),
}
"""The option of ethtool(8) that shows a setting."""
