"""rtnetlink and ethtool for labs and interfaces, on pyroute2.

Everything here acts on the network namespace of the calling thread and needs a thread without a
running event loop: call it through `Namespace.run`.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from xdplab.core.descriptors import check_spare
from xdplab.core.errors import InterfaceGoneError, KernelError, PermissionRefusedError
from xdplab.core.more_power import MORE_POWER
from xdplab.core.own_limits import more_descriptors

if TYPE_CHECKING:
    from pyroute2 import IPRoute
    from pyroute2.ethtool.ioctl import IoctlEthtool

DESCRIPTORS = 6
"""Descriptors that a netlink socket of pyroute2 needs, with its event loop."""

_ETHTOOL_GDRVINFO = 0x3
_REMEDIES = {
    errno.EPERM: f"It needs CAP_NET_ADMIN: {MORE_POWER}.",
    errno.ENODEV: "The interface is gone: look it up again, or make a new lab.",
}
_KINDS: dict[int, type[KernelError]] = {
    errno.EPERM: PermissionRefusedError,
    errno.EACCES: PermissionRefusedError,
    errno.ENODEV: InterfaceGoneError,
    errno.ENXIO: InterfaceGoneError,
}


class _DriverInfo(ctypes.Structure):
    """`struct ethtool_drvinfo`, which pyroute2 lacks."""

    _fields_ = (
        ("cmd", ctypes.c_uint32),
        ("driver", ctypes.c_char * 32),
        ("versions", ctypes.c_char * 64),
        ("bus", ctypes.c_char * 32),
        ("rest", ctypes.c_char * 64),
    )


@contextmanager
def netlink(tried: str, remedies: Mapping[int, str] | None = None) -> Iterator[IPRoute]:
    """Open rtnetlink for the block; a refusal in it becomes a `KernelError`.

    Parameters
    ----------
    tried
        What the block does, as a phrase for the message.
    remedies
        The remedy for an errno, beside the usual one.
    """
    from pyroute2 import IPRoute  # noqa: PLC0415 - 0.3 s that `import xdplab` must not pay
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415

    try:
        check_spare(DESCRIPTORS)
        with IPRoute() as route:
            yield route
    except KernelError:
        raise
    except NetlinkError as error:
        raise refusal(tried, error.code, remedies) from error
    except OSError as error:
        raise refusal(tried, error.errno or 0, remedies) from error


@contextmanager
def ethtool(
    name: str, tried: str, remedies: Mapping[int, str] | None = None
) -> Iterator[IoctlEthtool]:
    """Open ethtool on an interface for the block; a refusal becomes a `KernelError`.

    Parameters
    ----------
    name
        The interface's.
    tried, remedies
        As of `netlink`.

    Raises
    ------
    KernelError
        With EOPNOTSUPP where the driver lacks the operation.
    InterfaceGoneError
        When there is no interface of this name.
    """
    from pyroute2.ethtool.ioctl import (  # noqa: PLC0415 - as above
        IoctlEthtool,
        NoSuchDevice,
        NotSupportedError,
    )

    try:
        with closing(IoctlEthtool(name)) as device:
            yield device
    except KernelError:
        raise
    except NoSuchDevice as error:
        raise refusal(tried, errno.ENODEV) from error
    except NotSupportedError as error:
        raise refusal(tried, errno.EOPNOTSUPP, remedies) from error
    except OSError as error:
        raise refusal(tried, error.errno or 0, remedies) from error


def request(device: IoctlEthtool, asked: ctypes.Structure) -> None:
    """Make a request that pyroute2 has no call for; the answer is in `asked`.

    Raises
    ------
    OSError
        As `ethtool` expects it.
    """
    device.ifreq.gstats = ctypes.cast(ctypes.byref(asked), ctypes.c_void_p)
    device.ioctl()


def driver_name(device: IoctlEthtool) -> str:
    """Name the driver of the interface, such as ``veth``."""
    return bytes(_driver_info(device).driver).decode()


def bus_address(device: IoctlEthtool) -> str:
    """Return where the card is on its bus, such as ``0000:00:02.0``; empty for a virtual one."""
    return bytes(_driver_info(device).bus).decode()


def _driver_info(device: IoctlEthtool) -> _DriverInfo:
    info = _DriverInfo(cmd=_ETHTOOL_GDRVINFO)
    request(device, info)
    return info


def addresses(route: IPRoute, index: int, family: int) -> list[str]:
    """List the addresses of an interface, those of the widest scope first."""
    messages: list[Any] = list(route.get_addr(family=family, index=index))
    # The kernel's scope numbers grow as the scope narrows: 0 is global, 253 the link.
    return [str(m.get("local") or m.get("address")) for m in sorted(messages, key=_scope)]


def _scope(message: Any) -> int:
    return int(message["scope"])


def refusal(tried: str, code: int, remedies: Mapping[int, str] | None = None) -> KernelError:
    """Make a `KernelError` of netlink's answer, with the usual remedy, and more."""
    usual = more_descriptors() if code == errno.EMFILE else _REMEDIES.get(code, "")
    remedy = (remedies or {}).get(code) or usual
    return _KINDS.get(code, KernelError)(tried, code, remedy)
