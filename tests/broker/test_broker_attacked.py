"""What members tried against the broker, and what it must make of it."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from support.broker_connections import one_visit, raw, slow_to_close
from support.brokers import Broker, Start, children_of
from support.clients import NOBODY, Report, as_user, own_network, puppet
from support.waiting import eventually

from xdplab.backends.lab_process.client import LabProcess
from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.broker.daemon.limits import LAB_TASKS
from xdplab.core.errors import KernelError

pytestmark = pytest.mark.privilege  # it starts a broker, and becomes another user

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PIDFD_GETFD, CLONE_PARENT = 0x4206, 438, 0x8000
OTHER = NOBODY - 1
# The kernel counts descriptors that are on their way by user, over all brokers (unix(7),
# ETOOMANYREFS): who floods one is nobody whom a test beside this one has for a client.
FLOODING = NOBODY - 100


def lab_of(broker: Broker) -> LabProcess:
    return LabProcess(connect(protocol.LAB, path=broker.socket).socket)


def state(process: int) -> str:
    """Return a process' state as the kernel shows it; "" where it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_lab_process_that_is_traced_killed_and_left_unreaped_stops_nobody(
    start_broker: Start,
) -> None:
    broker = start_broker()

    def client(report: Report) -> object:
        lab = lab_of(broker)
        process = lab.call(os.getpid)
        assert LIBC.ptrace(PTRACE_SEIZE, process, None, None) == 0
        os.kill(process, signal.SIGKILL)
        assert eventually(lambda: state(process) == "Z")
        report(str(process))
        return lab

    with puppet(client) as made:
        process = int(made.report())
        assert made.report() == "done"
        assert state(process) == "Z"  # its tracer does not let go
        for user in (OTHER, NOBODY, 0):
            assert as_user(lambda: one_visit(broker.socket), user=user)
        assert broker.is_quiet()
        broker.process.terminate()
        assert broker.process.wait(20) == 0


def test_a_lab_process_makes_no_child_of_the_brokers(broker: Broker) -> None:
    def multiply() -> int:
        libc, made = ctypes.CDLL(None), 0
        while made < LAB_TASKS // 2:
            child = libc.syscall(56, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
            if child == 0:
                if made % 2:
                    os._exit(0)
                while True:
                    signal.pause()
            made += 1
        return os.getppid()

    def client(report: Report) -> object:
        lab = lab_of(broker)
        report(str(lab.call(multiply)))
        return lab

    with puppet(client) as made:
        keeper = int(made.report())
        assert made.report() == "done"
        assert broker.sessions() == [keeper]
        assert eventually(lambda: all(state(each) != "Z" for each in children_of(keeper)))
        started = children_of(keeper)
        assert len(started) > LAB_TASKS // 4
        made.kill()
        assert broker.is_quiet()
    assert not any(Path(f"/proc/{each}").exists() for each in started)


def test_what_a_lab_process_leaves_behind_ends_with_it(broker: Broker) -> None:
    def daemon() -> int:
        ours, theirs = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if (child := os.fork()) == 0:
                while True:
                    signal.pause()
            os.write(theirs, str(child).encode())
            os._exit(0)
        return int(os.read(ours, 20))

    def client(report: Report) -> object:
        with lab_of(broker) as lab:
            report(str(lab.call(daemon)))
        return lab

    with puppet(client) as made:
        orphan = Path("/proc") / made.report()
        assert made.report() == "done"
        assert broker.is_quiet()
        assert not orphan.exists()


def test_a_client_can_neither_stop_nor_kill_the_keeper_of_its_lab_process(broker: Broker) -> None:
    def client() -> list[int]:
        with lab_of(broker):
            (keeper,) = broker.sessions()
            answers = []
            for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM):
                with pytest.raises(PermissionError):
                    os.kill(keeper, number)
            answers.append(LIBC.ptrace(PTRACE_SEIZE, keeper, None, None))
            return answers

    assert as_user(client) == [-1]


def test_a_lab_process_can_not_be_seized_before_it_is_its_clients(broker: Broker) -> None:
    """Stopped whenever it can be, it gives nothing away before it has run another program."""
    held = Path(f"/proc/{broker.process.pid}/fd").iterdir()
    brokers = {str(each.readlink()) for each in held} - {os.devnull}

    def seize(broker_process: int) -> list[str]:
        """Stop every lab process as soon as that is allowed; say what could be taken of it."""
        taken: list[str] = []
        seen: set[int] = set()
        deadline = time.monotonic() + 60
        stopped = 0
        while time.monotonic() < deadline and stopped < 25:
            for session in children_of(broker_process):
                for process in children_of(session):
                    if process in seen:
                        continue
                    try:
                        os.kill(process, signal.SIGSTOP)
                    except PermissionError:
                        continue
                    except ProcessLookupError:
                        seen.add(process)
                        continue
                    seen.add(process)
                    stopped += 1
                    taken += take_from(process, brokers)
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
        assert stopped > 5
        return taken

    def visits(report: Report) -> object:
        while True:
            report("visit")
            with suppress(Exception):
                lab_of(broker).close()

    with puppet(visits):
        assert as_user(lambda: seize(broker.process.pid)) == []
    assert broker.is_quiet()


def take_from(process: int, brokers: set[str]) -> list[str]:
    """Try to take descriptors and memory of a process; list what was the broker's."""
    taken = []
    try:
        pidfd = os.pidfd_open(process)
    except ProcessLookupError:
        return []
    for descriptor in range(16):
        copy = LIBC.syscall(PIDFD_GETFD, pidfd, descriptor, 0)
        if copy < 0:
            continue
        name = str(Path(f"/proc/self/fd/{copy}").readlink())
        os.close(copy)
        if name in brokers:
            taken.append(f"descriptor {descriptor}: {name}")
    os.close(pidfd)
    with suppress(OSError):
        command = Path(f"/proc/{process}/cmdline").read_text()
        memory = Path(f"/proc/{process}/maps").read_text()
        if memory and "xdplab.broker" in command:
            taken.append(f"memory of {command}")
    return taken


def test_a_member_who_connects_all_the_time_refuses_nobody_else(start_broker: Start) -> None:
    broker = start_broker()

    def hammer(report: Report) -> object:
        namespace = own_network()
        report("begins")
        held: list[socket.socket] = []
        while True:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            made.setblocking(False)
            try:
                made.connect(broker.socket)
                protocol.send(made, protocol.encode_first(protocol.NETWORK), [namespace])
            except OSError:
                made.close()
            else:
                held.append(made)
            if len(held) > 300:
                for each in held:
                    each.close()
                held.clear()

    with puppet(hammer, FLOODING) as made:
        assert made.report() == "begins"
        for _ in range(10):
            assert as_user(lambda: one_visit(broker.socket), user=OTHER)
        made.kill()
    assert broker.is_quiet()


def test_members_together_leave_room_for_one_more(start_broker: Start) -> None:
    broker = start_broker("--sessions", "4")

    def greedy(report: Report) -> object:
        namespace, held = own_network(), []
        with suppress(KernelError):
            while True:
                held.append(connect(protocol.NETWORK, descriptor=namespace, path=broker.socket))
        report(str(len(held)))
        return held

    def fill(user: int) -> list[int]:
        if user < NOBODY - 3:
            assert as_user(lambda: one_visit(broker.socket), user=user)
            return []
        with puppet(greedy, user) as made:
            got = int(made.report())
            return [got, *fill(user - 1)]

    got = fill(NOBODY)
    assert got == [4, 4, 4, 2]
    assert broker.is_quiet()


def test_a_client_waits_for_a_broker_that_has_no_room_to_let_it_wait(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(path)
        listening.listen(0)
        others = []
        with suppress(BlockingIOError):
            while True:
                other = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                other.setblocking(False)
                others.append(other)
                other.connect(path)

        def serve() -> None:
            time.sleep(0.3)
            for _ in others:
                served, _ = listening.accept()
                if protocol.receive(served)[0]:
                    protocol.send(served, protocol.encode_answer({"for": "you"}))
                    return

        for other in others[:-1]:
            other.close()
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                serve()
            os._exit(0)
        try:
            assert connect(protocol.SOFTIRQ, path=path).answer == {"for": "you"}
        finally:
            os.waitpid(child, 0)


def test_refused_messages_and_connections_do_not_fill_the_log(start_broker: Start) -> None:
    broker = start_broker("--sessions", "2")

    def client() -> None:
        namespace = own_network()
        with connect(protocol.NETWORK, descriptor=namespace, path=broker.socket) as connection:
            for number in range(3_000):
                message = protocol.encode_request(f"nonsense {number}", {"more": number})
                protocol.send(connection.socket, message)
                protocol.receive(connection.socket)
            held = connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)
            for _ in range(200):
                with raw(broker.socket) as refused:
                    protocol.receive(refused)
            held.close()

    as_user(client)
    assert broker.is_quiet()

    def told() -> int:
        lines = (line for line in broker.log().splitlines() if "more like it" in line)
        return sum(int(line.rsplit(": ", 1)[1].split()[0]) for line in lines)

    # Those that were kept back are counted, once the while is over.
    assert eventually(lambda: told() > 2_900), broker.log()
    assert len(broker.log().splitlines()) < 20, broker.log()


def test_a_socket_closed_late_by_a_refused_client_delays_nobody(start_broker: Start) -> None:
    """A session of another's must not be the last to hold a connection that is slow to close."""
    broker = start_broker("--sessions", "2")

    def client(report: Report) -> object:
        from pyroute2 import IPRoute

        namespace = own_network()
        with IPRoute() as route:
            route.link("set", index=1, state="up")
        slow = [slow_to_close() for _ in range(4)]
        for each in slow:
            for _ in range(3):
                with raw(broker.socket) as left:
                    protocol.send(left, protocol.encode_first(protocol.NETWORK), [each])
            os.close(each)
        return namespace

    with puppet(client) as made:
        assert made.report() == "done"
        began = time.monotonic()
        for _ in range(5):
            assert as_user(lambda: one_visit(broker.socket), user=OTHER)
        assert time.monotonic() - began < 20


def errno_of(function: Callable[[], object]) -> int:
    try:
        function()
    except KernelError as error:
        return error.errno or 0
    return 0


def test_root_is_served_while_a_member_has_all_it_may(start_broker: Start) -> None:
    broker = start_broker("--sessions", "2")

    def greedy(_report: Report) -> object:
        namespace = own_network()

        def visit() -> object:
            return connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)

        held = [visit(), visit()]
        assert errno_of(visit) == errno.EUSERS
        return held

    with puppet(greedy) as made:
        assert made.report() == "done"
        assert as_user(lambda: one_visit(broker.socket), user=0)
