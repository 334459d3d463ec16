"""A session: one client, one purpose, in a process of its own with no privilege beyond that.

It runs as its client's user, who may therefore stop and kill it, but neither trace it nor see its
memory and descriptors (PR_SET_DUMPABLE). Of the broker's descriptors it has only the connection and
the line to the listener. Two kinds stay root, as a client must not stop them: a session that lends
an interface, and the keeper of a lab process (`lab_keeper.py`).
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

from xdplab.broker import protocol
from xdplab.broker.daemon.confinement import (
    SESSION,
    check_namespace,
    check_surroundings,
    confine,
    die_with,
    enter_network,
)
from xdplab.broker.daemon.lab_keeper import LabKeeper
from xdplab.broker.daemon.lending import Borrower, lend
from xdplab.broker.daemon.limits import (
    ANSWER_SECONDS,
    FIRST_MESSAGE_SECONDS,
    limit_session,
)
from xdplab.broker.daemon.listener_link import Line
from xdplab.broker.daemon.operations import Operations
from xdplab.broker.protocol import Malformed
from xdplab.broker.requests import REQUESTS, check_request
from xdplab.core.descriptors import close_all
from xdplab.core.errors import ConfigurationError, XdplabError
from xdplab.native import lib
from xdplab.native.objects import c_path
from xdplab.programs.statistics import StatisticsOn
from xdplab.refusals.errors import new_error, raise_error

_SO_PEERPIDFD = 77  # asm-generic/socket.h, Linux 6.5
# Operations that change nothing and come many times a second: they are not logged.
_LOOKS = ("generator_status", "run_object", "runs_of_object")
# First words of a line in the log; a client can send any text as the name of an operation.
_KNOWN = {*REQUESTS, "connect", "lend"}


class Peer(NamedTuple):
    """The process that connected."""

    process: int
    user: int
    group: int
    groups: tuple[int, ...]


class Terms(NamedTuple):
    """Rights of a session."""

    interfaces: frozenset[str]
    """Names of real interfaces that it may lend."""


class Session:
    """Serves one client. Runs in a process made for it, which ends when `run` returns.

    Parameters
    ----------
    connection
        Connection to the client.
    peer
        The client.
    listener
        Process id of the listener, with which the session ends.
    line
        Line to the listener.
    terms
        Its rights.
    """

    def __init__(
        self, connection: socket.socket, peer: Peer, listener: int, line: Line, terms: Terms
    ) -> None:
        self._connection = connection
        self._peer = peer
        self._listener = listener
        self._line = line
        self._terms = terms
        self._ends = [line.fileno()]
        """Descriptors that become readable when the session must end, also without a message."""

    def run(self) -> None:
        """Serve the client until it is gone, or breaks the protocol."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        die_with(self._listener)
        limit_session()
        try:
            self._serve()
        except TimeoutError:
            self._line.log("connection", "given up: it takes too long")
        except OSError as error:
            self._line.log("connection", str(error), "connection: OSError")

    def _serve(self) -> None:
        try:
            self._connection.settimeout(FIRST_MESSAGE_SECONDS)
            first, descriptors = protocol.receive(self._connection, protocol.FIRST.size)
            if first:
                self._ends.append(_life_of(self._connection, self._peer.process))
                self._connection.settimeout(ANSWER_SECONDS)
                self._begin(first, descriptors)
        except Malformed as error:
            self._refuse("connect", ConfigurationError(f"{error}."))
        except XdplabError as error:
            self._refuse("connect", error)

    def _begin(self, first: bytes, descriptors: list[int]) -> None:
        kind, name = protocol.decode_first(first)
        if len(descriptors) != (kind in (protocol.NETWORK, protocol.INTERFACE)):
            raise Malformed(f"{kind.decode()} came with {len(descriptors)} descriptors")
        if kind == protocol.NETWORK:
            self._serve_network(descriptors[0])
        elif kind == protocol.LAB:
            self._keep_lab_process()
        elif kind == protocol.SOFTIRQ:
            self._serve_softirq()
        elif kind == protocol.STATISTICS:
            self._keep_statistics_on()
        else:
            self._lend_interface(name, descriptors[0])

    def _serve_network(self, namespace: int) -> None:
        check_namespace(namespace, self._peer.user)
        enter_network(namespace)
        os.close(namespace)
        self._confine(SESSION, lib.XDPLAB_FILTER_SESSION)
        self._answer("network", {})
        operations = Operations(self._line)
        try:
            while self._serve_request(operations):
                pass
        finally:
            operations.close()

    def _serve_request(self, operations: Operations) -> bool:
        """Answer one request; return whether another may come."""
        message, descriptors = self._await(protocol.MESSAGE_BYTES)
        if not message:
            return False
        made: list[int] = []
        operation, number = "request", 0
        try:
            operation, arguments, number = protocol.decode_request(message)
            checked = check_request(operation, arguments, len(descriptors))
            answer, made = operations.perform(operation, checked, descriptors)
        except XdplabError as error:
            self._refuse(operation, error, number)
        else:
            self._answer(operation, answer, made, number)
        finally:
            close_all(made)
            close_all(descriptors)
        return True

    def _keep_lab_process(self) -> None:
        peer = self._peer
        check_surroundings(peer.process, peer.user, peer.group)
        if self._is_over():
            return  # and the process that was looked at may have been another
        told = self._hear_signals(signal.SIGTERM, signal.SIGCHLD)
        keeper = LabKeeper(self._connection, peer.user, peer.group, peer.groups)
        self._answer("lab", {})
        keeper.start()
        # The connection stays open: the client could delay a close, but not this process' end.
        keeper.keep(told, self._ends)

    def _hear_signals(self, *numbers: signal.Signals) -> socket.socket:
        """Return a socket that becomes readable with each of these signals."""
        told, tells = socket.socketpair()
        for each in (told, tells):
            each.setblocking(False)
        signal.set_wakeup_fd(tells.detach(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda *_: None)
        die_with(self._listener, signal.SIGTERM)
        return told

    def _serve_softirq(self) -> None:
        error = new_error()
        clock = lib.xdplab_softirq_open(c_path("softirq"), error)
        if not clock:
            raise_error(error)
        times = lib.xdplab_softirq_read_only(clock)
        self._confine((), lib.XDPLAB_FILTER_SESSION)
        self._answer("softirq", {}, [times])
        os.close(times)
        self._wait_for_the_end()

    def _keep_statistics_on(self) -> None:
        with StatisticsOn():
            self._confine((), lib.XDPLAB_FILTER_SESSION)
            self._answer("statistics", {})
            self._wait_for_the_end()

    def _lend_interface(self, name: str, namespace: int) -> None:
        check_namespace(namespace, self._peer.user)
        # SIGTERM, also repeated, must not end this process before the interface is back.
        told = self._hear_signals(signal.SIGTERM)
        self._ends.append(told.fileno())
        borrower = Borrower(namespace, self._peer.user, self._peer.group)
        ends = [told.fileno(), self._line.fileno()]
        with lend(
            name,
            borrower,
            self._terms.interfaces,
            lambda said: self._line.log(f"lend {name}", said),
            lambda seconds: bool(select.select(ends, [], [], seconds)[0]),
        ) as index:
            self._answer(f"lend {name}", {"name": name, "index": index})
            self._wait_for_the_end()

    def _confine(self, capabilities: Collection[int], filter_: int) -> None:
        confine(self._peer.user, self._peer.group, tuple(capabilities), filter_)
        # A change of user clears it.
        die_with(self._listener)

    def _wait_for_the_end(self) -> None:
        """Wait until the client is gone; it has no more requests."""
        _message, descriptors = self._await(1)
        close_all(descriptors)

    def _await(self, most_bytes: int) -> tuple[bytes, list[int]]:
        """Wait for a message; an empty one means that the client is gone."""
        select.select([self._connection.fileno(), *self._ends], [], [])
        # A child of a client that is gone may still hold the connection.
        return (b"", []) if self._is_over() else protocol.receive(self._connection, most_bytes)

    def _is_over(self) -> bool:
        return bool(select.select(self._ends, [], [], 0)[0])

    def _answer(
        self, operation: str, answer: dict[str, object], made: Sequence[int] = (), number: int = 0
    ) -> None:
        protocol.send(self._connection, protocol.encode_answer(answer, number), made)
        if operation not in _LOOKS:
            self._line.log(operation, "done")

    def _refuse(self, operation: str, error: XdplabError, number: int = 0) -> None:
        kind = type(error).__name__
        known = next((each for each in operation.split()[:1] if each in _KNOWN), "request")
        self._line.log(operation, f"{kind}: {error}", f"{known}: {kind}")
        with suppress(ConnectionError):  # the client may be gone
            protocol.send(self._connection, protocol.encode_refusal(error, number))


def _life_of(connection: socket.socket, process: int) -> int:
    """Open a descriptor that becomes readable when the client's process has ended."""
    with suppress(OSError):
        return connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    return os.pidfd_open(process)
