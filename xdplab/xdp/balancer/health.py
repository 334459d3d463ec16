"""Health checks: servers that do not answer are taken out of a service, and come back."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from ipaddress import ip_address

from xdplab.core.calls import public
from xdplab.core.checks import instance_of, seconds, shown, text, whole
from xdplab.core.closing import Closing
from xdplab.core.errors import ConfigurationError, XdplabError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.locks import new_lock
from xdplab.core.table import Table, Tabled
from xdplab.xdp.balancer.addresses import ip
from xdplab.xdp.balancer.service import Service

_MOST_IN_TURN = 1000
_LONGEST_PATH = 1000
_LEAST_SECONDS = 0.01
_LONGEST_SECONDS = 3600


@public
class HealthChecks(Tabled, FixedNames, Closing):
    """Asks the servers of a service again and again, and takes out those that do not answer.

    A server that failed some times in turn is removed: its connections go to others. It is asked
    further, and added with its weight once it has answered some times in turn. Servers that are
    added to the service or removed from it meanwhile are asked, or not asked any more.

    They run on a thread of their own until `close`, or the end of the ``with``. Checks come from
    the host of the balancer, to a server's own address: a server listens there, too.

    Parameters
    ----------
    service
        The service, as `Balancer.add_service` returns it.
    path
        A path such as ``"/health"``, which is asked for by HTTP: a status of 200 to 399 is an
        answer. Without one, a TCP connection that is accepted is an answer.
    port
        The TCP port; by default that of the service.
    every
        Seconds between two rounds of checks, 0.01 to 3600.
    timeout
        Seconds that a check may take, 0.01 to 3600.
    failures
        So many checks in turn that failed take a server out, 1 to 1000.
    successes
        So many answers in turn bring it back, 1 to 1000.

    Raises
    ------
    ConfigurationError
        For values out of range.
    """

    def __init__(
        self,
        service: Service,
        *,
        path: str = "",
        port: int | None = None,
        every: float = 1.0,
        timeout: float = 1.0,
        failures: int = 3,
        successes: int = 2,
    ) -> None:
        self._service = instance_of("service", service, Service, "a Service of a Balancer")
        self.path = _path(path)
        self.port = service.port if port is None else whole("port", port, 1, 65535)
        self.every = seconds("every", every, _LEAST_SECONDS, _LONGEST_SECONDS)
        self.timeout = seconds("timeout", timeout, _LEAST_SECONDS, _LONGEST_SECONDS)
        self.failures = whole("failures", failures, 1, _MOST_IN_TURN)
        self.successes = whole("successes", successes, 1, _MOST_IN_TURN)
        self._lock = new_lock()
        self._down: dict[str, float] = {}
        self._in_turn: dict[str, int] = {}  # answers, or below 0 failures
        self._ended = ""
        self._loop = asyncio.new_event_loop()
        self._work = self._loop.create_task(self._rounds())
        self._thread = threading.Thread(target=self._run, name="health checks", daemon=True)
        self._thread.start()

    @property
    def down(self) -> dict[str, float]:
        """The weight of each server that is taken out, by its address."""
        with self._lock:
            return dict(self._down)

    def forget(self, address: str) -> None:
        """Leave a server that is taken out where it is, and ask it no more.

        Raises
        ------
        ConfigurationError
            When it is not taken out.
        """
        given = str(ip("address", address))
        with self._lock:
            if given not in self._down:
                raise ConfigurationError(
                    f"address={given!r} is not taken out. Taken out: "
                    f"{', '.join(self._down) or 'none'}."
                )
            del self._down[given]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._loop.is_closed()

    def close(self) -> None:
        """End the checks. Servers stay as they are, in the service or taken out."""
        with self._lock, suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._work.cancel)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._work)
        except asyncio.CancelledError:
            pass
        except XdplabError as error:  # the service or the program is gone
            self._ended = str(error)
        finally:
            self._loop.close()

    async def _rounds(self) -> None:
        while True:
            with self._lock:
                asked = [*(self._service.servers | self._down)]
            answers = await asyncio.gather(*map(self._answers, asked))
            with self._lock:
                for address, answered in zip(asked, answers, strict=True):
                    self._note(address, answered)
            await asyncio.sleep(self.every)

    def _note(self, address: str, answered: bool) -> None:
        """Count an answer or a failure, and act where it is enough."""
        before = self._in_turn.get(address, 0)
        now = max(before, 0) + 1 if answered else min(before, 0) - 1
        self._in_turn[address] = now
        servers = self._service.servers
        if address in servers:
            self._down.pop(address, None)  # the user added it again
            if now <= -self.failures:
                self._service.remove_server(address)
                self._down[address] = servers[address]
        elif address in self._down and now >= self.successes:
            self._service.add_server(address, self._down[address])
            del self._down[address]

    async def _answers(self, address: str) -> bool:
        try:
            async with asyncio.timeout(self.timeout):
                return await self._ask(address)
        except (OSError, ValueError):  # TimeoutError is an OSError
            return False

    async def _ask(self, address: str) -> bool:
        family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
        namespace = self._service._entries.namespace
        with namespace.run(socket.socket, family, socket.SOCK_STREAM) as asking:
            asking.setblocking(False)
            await self._loop.sock_connect(asking, (address, self.port))
            if not self.path:
                return True
            host = f"[{address}]" if family == socket.AF_INET6 else address
            request = f"GET {self.path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
            await self._loop.sock_sendall(asking, request.encode())
            answer = b""
            while len(answer) < len(b"HTTP/1.0 200"):
                if not (more := await self._loop.sock_recv(asking, 4096)):
                    return False
                answer += more
        return answer.startswith(b"HTTP/") and 200 <= int(answer[9:12]) < 400

    def _table(self) -> Table:
        with self._lock:
            states = dict.fromkeys(self._service.servers, "up") | dict.fromkeys(self._down, "down")
            rows = [
                (each, state, _in_turn(self._in_turn.get(each, 0)))
                for each, state in states.items()
            ]
        lines = [f"ended: {self._ended}"] if self._ended else []
        headings = ("server", "state", "last checks") if rows else ()
        return Table(self._brief()[1:-1], rows, headings, lines)

    def _brief(self) -> str:
        asked = f"HTTP {self.path}" if self.path else "TCP"
        closed = ", closed" if self.closed else ""
        return f"<Health checks of {self._service.name} by {asked} at port {self.port}{closed}>"


def _in_turn(count: int) -> str:
    if not count:
        return "not asked yet"
    return f"{count:,} answered" if count > 0 else f"{-count:,} failed"


def _path(given: object) -> str:
    path = text("path", given)
    if path and (not path.startswith("/") or not path.isascii() or not path.isprintable()):
        raise ConfigurationError(
            f"path={shown(given)} must be a path of ASCII letters that begins with a slash, such "
            "as '/health'."
        )
    if " " in path or len(path) > _LONGEST_PATH:
        raise ConfigurationError(
            f"path={shown(given)} must have no spaces, and at most {_LONGEST_PATH:,} letters."
        )
    return path
