"""Receive paths: which settings each accepts, and which it rejects.

`xdplab.native.paths` has the table of them.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from xdplab.core.checks import shown
from xdplab.core.errors import ConfigurationError
from xdplab.native.paths import PATHS, Kind
from xdplab.net.shell_commands import ip_in

if TYPE_CHECKING:
    from xdplab.configuration.configuration import Configuration

# What only AF_XDP takes.
_OF_XSK = (
    *("ring_size", "frame_size", "headroom", "unaligned", "huge_pages", "multi_buffer"),
    *("metadata", "bind", "match"),
)


def path_words(configuration: Configuration) -> dict[str, int]:
    """Check the path, and reject settings that it does not support.

    Returns
    -------
    dict
        Fields of ``struct xdplab_config``.

    Raises
    ------
    ConfigurationError
        For values that can't work.
    """
    path, kind = configuration.path, configuration.kind
    buffer = configuration.memory.socket_buffer
    if kind != Kind.XSK:
        _check_other(configuration, path)
    if not kind.has_socket_buffer and not configuration.is_usual("socket_buffer"):
        raise ConfigurationError(
            f"socket_buffer={buffer} takes a path with an ordinary socket, "
            f"and path={path!r} has none. Leave it out{_or_rings(kind)}."
        )
    return {
        "path": PATHS.index(path),
        "address": _address(configuration, path) if kind == Kind.UDP else 0,
        "socket_buffer": buffer,
    }


def _or_rings(kind: Kind) -> str:
    return ": how many packets wait is ring_size's to say" if kind == Kind.XSK else ""


def _check_other(configuration: Configuration, path: str) -> None:
    remedy = f"Leave it out, or take path='xsk', which path={path!r} is there to be compared with."
    if len(configuration.interfaces) > 1:
        raise ConfigurationError(f"forward_to=... joins two interfaces with AF_XDP. {remedy}")
    if configuration.queues != (0,):
        raise ConfigurationError(
            f"queue={shown(configuration.queue)} is AF_XDP's: path={path!r} receives from all "
            "queues, with one worker, which counts as queue 0. Leave it out."
        )
    if configuration.stream is not None:
        raise ConfigurationError(f"stream=... is sent through AF_XDP. {remedy}")
    if configuration.asks_device:
        raise ConfigurationError(f"checksum='device' is for packets that are sent on. {remedy}")
    for name in _OF_XSK:
        if not configuration.is_usual(name):
            value = shown(configuration.setting(name))
            raise ConfigurationError(f"{name}={value} is AF_XDP's. {remedy}")


def _address(configuration: Configuration, path: str) -> int:
    (interface,) = configuration.interfaces
    if not interface.ipv4:
        raise ConfigurationError(
            f"path={path!r} binds a socket to the interface's IPv4 address, and {interface.name} "
            f"has none: `{ip_in(interface.namespace)} address add 192.0.2.1/24 dev "
            f"{interface.name}`, or another address; or take path='packet'."
        )
    return int.from_bytes(socket.inet_aton(interface.ipv4), sys.byteorder)


def refuse_wait(path: str) -> None:
    """Reject a wait strategy on a path that waits in its own way.

    Raises
    ------
    ConfigurationError
        Always.
    """
    raise ConfigurationError(
        f"path={path!r} waits in its own way, which is what it is there to show: there is no wait "
        "strategy to choose. Compare paths, or take path='xsk' for its strategies."
    )
