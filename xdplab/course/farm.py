"""Web servers with one address in common, and the host of a load balancer before them."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from xdplab.core.calls import public
from xdplab.core.checks import items, shown, text, whole
from xdplab.core.closing import Closing
from xdplab.core.errors import ConfigurationError
from xdplab.core.table import Table, Tabled
from xdplab.core.threads import Thread
from xdplab.lab.network import HOST_NAME, Network
from xdplab.net.host import Host
from xdplab.xdp.gallery import GALLERY
from xdplab.xdp.program import Program

_PORT, _PATIENCE = 80, 30.0  # seconds
_MOST_SERVERS, _MOST_CONNECTIONS = 32, 100_000
_OTHERS = ("client", "router", "balancer")  # hosts of each farm


@public
class Farm(Tabled, Closing):
    """A client, a router, a balancer's host, and web servers that answer with their names.

    All servers have the address `VIRTUAL`, on their loopback, and the gallery's program
    ``decapsulate``. The router leads what is sent to that address to `balancer`, on which no
    program is yet.

    Parameters
    ----------
    names
        The servers' names, 1 to 32, each once: a letter, then up to 11 letters, digits and
        underscores; and none of client, router and balancer.

    Attributes
    ----------
    balancer
        The balancer's `Host`.
    servers
        The servers' hosts, by name.

    Raises
    ------
    ConfigurationError, PermissionRefusedError, KernelError
        As `Network` does, and when a program that sets up a host failed.
    """

    VIRTUAL = "198.18.100.1"
    """The address that clients know."""

    def __init__(self, names: Sequence[str] = ("one", "two", "three")) -> None:
        named = _checked(names)
        with ExitStack() as stack:
            wires = ("client-router", "balancer-router", *(f"router-{name}" for name in named))
            net = stack.enter_context(Network(*wires))
            self._client, router, self.balancer = (
                net["client"],
                net["router", "client"],
                net["balancer"],
            )
            self.servers = {name: net[name] for name in named}
            _do(self._client, f"ip route add {self.VIRTUAL} via {router.ipv4}")
            _do(router, f"ip route add {self.VIRTUAL} via {self.balancer.ipv4}")
            # An XDP program sends frames on without what a stack leaves to its device.
            _do(self._client, f"ethtool -K {self._client.interface.name} tx off")
            # A veth takes the frames of XDP_TX only if its other end has a program, too.
            _attach("pass", net["router", "balancer"], stack)
            for name, host in self.servers.items():
                _do(host, f"ip address add {self.VIRTUAL}/32 dev lo")
                _attach("decapsulate", host, stack)
                listener = stack.enter_context(host.socket(type=socket.SOCK_STREAM))
                stack.callback(_end, listener)
                listener.bind(("", _PORT))
                listener.listen()
                Thread(_serve, listener, name, name=f"web {name}").start()
            self._stack = stack.pop_all()

    def ask(self, connections: int) -> dict[str, int]:
        """Ask for a page, each time on a new connection, one after the other.

        Parameters
        ----------
        connections
            How many, 1 to 100,000.

        Returns
        -------
        dict
            How many were answered by each server, by its name.

        Raises
        ------
        ConfigurationError
            When one was not answered within 30 s.
        """
        answered: Counter[str] = Counter()
        for number in range(whole("connections", connections, 1, _MOST_CONNECTIONS)):
            try:
                answered[self._answer()] += 1
            except OSError as error:
                raise ConfigurationError(
                    f"connection {number + 1} to {self.VIRTUAL} was not answered: {error}. Is a "
                    "program attached to the balancer's host, with servers that are up?"
                ) from error
        return dict(sorted(answered.items()))

    def close(self) -> None:
        """End the servers, and remove the hosts. A second call does nothing."""
        self._stack.close()

    def _answer(self) -> str:
        with self._client.socket(type=socket.SOCK_STREAM) as client:
            client.settimeout(_PATIENCE)
            client.connect((self.VIRTUAL, _PORT))
            client.sendall(f"GET / HTTP/1.0\r\nHost: {self.VIRTUAL}\r\n\r\n".encode())
            with client.makefile() as said:
                return said.read().split()[-1]

    def _table(self) -> Table:
        rows = [(name, host.ipv4) for name, host in self.servers.items()]
        return Table(f"Web servers of {self.VIRTUAL}", rows, ("server", "its own address"))

    def _brief(self) -> str:
        return f"<Farm of {self.VIRTUAL}: {', '.join(self.servers)}>"


def _checked(names: object) -> list[str]:
    named = [text("names", each) for each in items("names", names, "names", _MOST_SERVERS)]
    if not named:
        raise ConfigurationError('names=[] has no server. Name one or more: Farm(["one", "two"]).')
    for name in named:
        if not re.fullmatch(HOST_NAME, name):
            raise ConfigurationError(
                f"names: {shown(name)} can't be a server's name. It is a letter, and up to 11 "
                "letters, digits and underscores."
            )
        if name in _OTHERS:
            raise ConfigurationError(
                f"names: {shown(name)} is another host of each farm, as are {', '.join(_OTHERS)}. "
                "Give the server another name."
            )
        if named.count(name) > 1:
            raise ConfigurationError(
                f"names: {shown(name)} is there {named.count(name)} times. Give each server a name "
                "of its own."
            )
    return named


def _attach(name: str, host: Host, stack: ExitStack) -> None:
    stack.enter_context(Program(GALLERY[name], host)).attach()


def _serve(listener: socket.socket, name: str) -> None:
    """Answer each connection with a name, until the listening socket is closed."""
    with suppress(OSError):
        while True:
            connection, _client = listener.accept()
            with connection, suppress(OSError):  # a client that went away
                connection.settimeout(_PATIENCE)
                connection.recv(4096)
                connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{name}\n".encode())


def _end(listener: socket.socket) -> None:
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # ends an accept that waits


def _do(host: Host, command: str) -> None:
    done = host.command(command.split())
    if done.returncode:
        raise ConfigurationError(f"`{command}` failed on a host: {done.stderr.strip()}")
