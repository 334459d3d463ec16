"""Clients' connections to a broker."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from support.clients import own_network
from xdplab.broker import protocol
from xdplab.broker.client import Connection, connect
from xdplab.core.errors import XdplabError


def is_served(connection: Connection) -> bool:
    """Ask something that is answered without any effect."""
    with pytest.raises(XdplabError, match="no generator"):
        connection.request("generator_status")
    return True


def one_visit(path: str) -> bool:
    with connect(protocol.NETWORK, descriptor=own_network(), path=path) as connection:
        return is_served(connection)


@contextmanager
def raw(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made:
        made.settimeout(30)
        made.connect(path)
        yield made


def slow_to_close() -> int:
    """Make a socket whose last holder waits, as it closes it, for what nobody reads."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = socket.create_connection(server.getsockname())
        server.accept()[0].detach()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 40))
    made.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            made.send(bytes(65_536))
    return made.detach()
