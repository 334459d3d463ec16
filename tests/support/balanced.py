"""A network with a load balancer: a client, a router, the balancer, and servers behind it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack

from xdplab import GALLERY, Balancer, Network, Program
from xdplab.net.host import Host

VIRTUAL = {4: "198.18.100.1", 6: "2001:db8:100::1"}


def do(host: Host, command: str) -> None:
    """Run a program on a host, which must succeed."""
    done = host.command(command.split())
    assert done.returncode == 0, (command, done.stderr)


class Balanced:
    """Servers that speak HTTP on the virtual addresses, and a balancer in front of them.

    A connection ends well where the server answered each request that it was sent. All others are
    counted as broken.
    """

    def __init__(self, names: Collection[str], ports: Collection[int]) -> None:
        self._stack = ExitStack()
        self.names, self.ports = names, ports
        self.accepted: Counter[str] = Counter()
        """Connections, by server."""
        self.broken: Counter[str] = Counter()

    def __enter__(self) -> Balanced:
        with self._stack as stack:  # closes what is there, should the rest fail
            wires = ("client-router", "balancer-router", *(f"router-{name}" for name in self.names))
            self.net = stack.enter_context(Network(*wires))
            self.client = self.net["client"]
            self._lead(4), self._lead(6)
            # A veth takes the frames of XDP_TX only if its other end has a program, too.
            self._program("pass", self.net["router", "balancer"])
            self.balancer = Balancer(self._program("balancer", self.net["balancer"]))
            for name in self.names:
                server = self.net[name]
                do(server, f"ip address add {VIRTUAL[4]}/32 dev lo")
                do(server, f"ip address add {VIRTUAL[6]}/128 dev lo")
                # Without one of its own there, a host asks nobody for a neighbour's MAC address
                # on behalf of an address of the loopback.
                do(server, f"ip address add fe80::2/64 dev {server.interface.name} nodad")
                self._program("decapsulate", server)
            self._serve()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def _program(self, name: str, host: Host) -> Program:
        program = self._stack.enter_context(Program(GALLERY[name], host))
        program.attach()
        return program

    def _lead(self, version: int) -> None:
        """Lead a virtual address to the balancer."""
        ways = ((self.client, self.net["router", "client"]), (None, self.net["balancer"]))
        for host, via in ways:
            address = via.ipv4 if version == 4 else via.ipv6
            do(
                host or self.net["router", "balancer"],
                f"ip -{version} route add {VIRTUAL[version]} via {address}",
            )
        # An XDP program sends frames on without what a stack leaves to its device.
        do(self.client, f"ethtool -K {self.client.interface.name} tx off")

    def _serve(self) -> None:
        """Answer HTTP on a thread, for all servers."""
        loop = asyncio.new_event_loop()
        for name in self.names:
            for version, port in ((version, port) for version in (4, 6) for port in self.ports):
                family = socket.AF_INET if version == 4 else socket.AF_INET6
                listener = self.net[name].socket(family, socket.SOCK_STREAM)
                listener.bind((VIRTUAL[version], port))
                listening = asyncio.start_server(self._handler(name), sock=listener, backlog=4096)
                server = loop.run_until_complete(listening)
                self._stack.callback(server.close)
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        self._stack.callback(_end, loop)
        self._stack.callback(thread.join)
        self._stack.callback(loop.call_soon_threadsafe, loop.stop)

    def _handler(self, name: str):  # noqa: ANN202
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted[name] += 1
            try:
                while request := await _request(reader):
                    writer.write(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Server: %s\r\n\r\n%s"
                        % (len(name), name.encode(), name.encode())
                    )
                    await writer.drain()
                    if b"connection: close" in request.lower():
                        break
            except (OSError, asyncio.IncompleteReadError):
                self.broken[name] += 1
            writer.close()

        return handle


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """End what runs in a loop, such as connections that clients left open."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """Read the header of a request; nothing where the client has ended the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""
