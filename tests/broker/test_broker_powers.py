"""What a session can still do, and what its client can do to it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.brokers import Broker
from support.clients import NOBODY, SERVED, Puppet, Report, as_user, own_network, puppet

from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.broker.daemon.confinement import BPF, IPC_LOCK, NET_ADMIN, SESSION, confine
from xdplab.core.errors import KernelError
from xdplab.native import lib

LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD = 438  # asm-generic/unistd.h
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206  # linux/ptrace.h


def status(process: int | str) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@contextmanager
def client_with_session(broker: Broker, kind: bytes = protocol.NETWORK) -> Iterator[Puppet]:
    def client(_report: Report) -> object:
        namespace = own_network() if kind == protocol.NETWORK else None
        return connect(kind, descriptor=namespace, path=broker.socket)

    with puppet(client) as made:
        assert made.report() == "done"
        yield made


def test_a_session_has_three_capabilities_and_its_clients_user(broker: Broker) -> None:
    with client_with_session(broker):
        (session,) = broker.sessions()
        seen = status(session)
        held = int(seen["CapEff"], 16)
        assert held == 1 << BPF | 1 << NET_ADMIN | 1 << IPC_LOCK
        assert int(seen["CapPrm"], 16) == held
        assert [int(seen[name], 16) for name in ("CapInh", "CapBnd", "CapAmb")] == [0, 0, 0]
        assert (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2")
        assert seen["Uid"].split() == [str(NOBODY)] * 4
        assert seen["Gid"].split() == [str(SERVED)] * 4
        assert seen["Groups"] == ""
        held_by = {link.readlink() for link in Path(f"/proc/{session}/fd").iterdir()}
        assert len(held_by) <= 6, held_by


@pytest.mark.parametrize("kind", [protocol.SOFTIRQ, protocol.STATISTICS])
def test_a_session_that_only_measures_has_no_capability_left(broker: Broker, kind: bytes) -> None:
    with client_with_session(broker, kind):
        (session,) = broker.sessions()
        seen = status(session)
        assert {seen[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
        assert seen["Seccomp"] == "2"


def test_the_listener_has_what_its_sessions_need_and_no_more(broker: Broker) -> None:
    held = int(status(broker.process.pid)["CapEff"], 16)
    assert bin(held).count("1") <= 9
    for forbidden in (1, 2, 17, 19, 24, 27):  # DAC, RAWIO, PTRACE, RESOURCE, MKNOD
        assert not held >> forbidden & 1
    assert status(broker.process.pid)["NoNewPrivs"] == "1"
    assert status(broker.process.pid)["Threads"] == "1"


def test_a_client_can_neither_trace_its_session_nor_take_a_descriptor_of_it(
    broker: Broker,
) -> None:
    def client(report: Report) -> object:
        held = connect(protocol.NETWORK, descriptor=own_network(), path=broker.socket)
        report("connected")
        return held

    with puppet(client) as made:
        assert made.report() == "connected"
        (session,) = broker.sessions()

        def thief() -> list[object]:
            tried: list[object] = []
            for request in (PTRACE_ATTACH, PTRACE_SEIZE):
                tried.append((LIBC.ptrace(request, session, None, None), ctypes.get_errno()))
            pidfd = os.pidfd_open(session)
            for descriptor in range(10):
                answer = LIBC.syscall(PIDFD_GETFD, pidfd, descriptor, 0)
                tried.append((answer, ctypes.get_errno()))
            for place in ("mem", "fd", "environ", "maps", "ns/net"):
                with pytest.raises(PermissionError):
                    path = Path(f"/proc/{session}/{place}")
                    list(path.iterdir()) if place == "fd" else path.open().read(1)
            return tried

        assert set(as_user(thief)) == {(-1, errno.EPERM)}
        # Neither from a namespace in which it is root.
        assert set(as_user(lambda: [own_network(), *thief()][1:])) == {(-1, errno.EPERM)}


def test_a_killed_session_is_its_clients_loss_alone(broker: Broker) -> None:
    def client() -> int:
        namespace = own_network()
        others = [connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)]
        lost = connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)
        os.kill(max(broker.sessions()), signal.SIGKILL)  # it runs as its client's user
        with pytest.raises(KernelError, match="ended the connection"):
            lost.request("generator_status")
        with pytest.raises(Exception, match="no generator"):
            others[0].request("generator_status")
        return len(others)

    assert as_user(client) == 1
    assert broker.is_quiet()
    assert "ended by signal 9" in broker.log()


def confined(attempt: Callable[[], object], filter_: int = lib.XDPLAB_FILTER_SESSION) -> object:
    """Try something in a process that is confined as a session is; return its errno."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        code = -1
        try:
            confine(NOBODY, SERVED, SESSION, filter_)
            attempt()
        except OSError as error:
            code = error.errno or 0
        finally:
            os.write(theirs, str(code).encode())
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return int(said)


def checked(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return answer


FORBIDDEN: dict[str, Callable[[], object]] = {
    "run a program": lambda: os.execv("/bin/true", ["true"]),
    "write a file": lambda: os.open("/tmp/xdplab-forbidden", os.O_WRONLY | os.O_CREAT),
    "write to one that is there": lambda: os.open("/dev/null", os.O_RDWR),
    "truncate one": lambda: os.truncate("/dev/null", 0),
    "remove one": lambda: Path("/tmp/xdplab-forbidden").unlink(),
    "become root": lambda: os.setuid(0),
    "become another group": lambda: os.setgid(0),
    "enter a namespace": lambda: checked(LIBC.setns(os.open("/proc/self/ns/net", os.O_RDONLY), 0)),
    "make a namespace": lambda: checked(LIBC.unshare(0x40000000)),
    "make a user namespace": lambda: checked(LIBC.unshare(0x10000000)),
    "mount": lambda: checked(LIBC.mount(b"x", b"/mnt", b"tmpfs", 0, None)),
    "change the root": lambda: os.chroot("/"),
    "trace": lambda: checked(LIBC.ptrace(PTRACE_ATTACH, 1, None, None)),
    "kill": lambda: os.kill(os.getppid(), 0),
    "open an Internet socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "open an AF_XDP socket": lambda: socket.socket(44, socket.SOCK_RAW),
    "change routes": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "audit": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9),
    "connect a Unix socket": lambda: socket.socket(socket.AF_UNIX),
    "start an io_uring": lambda: checked(LIBC.syscall(425, 8, None)),
    "watch the kernel": lambda: checked(LIBC.syscall(298, None, 0, -1, -1, 0)),
    "load a module": lambda: checked(LIBC.syscall(313, 0, b"", 0)),
    "map code": lambda: mmap.mmap(-1, 4096, prot=7),
    "make a child of its parent": lambda: checked(LIBC.syscall(56, 0x8000, 0, 0, 0, 0)),
    "regain a capability": lambda: confine(NOBODY, SERVED, (*SESSION, 21)),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_session_can_not(root: None, what: str) -> None:
    assert confined(FORBIDDEN[what]) in (errno.EPERM, errno.EACCES)
    assert not Path("/tmp/xdplab-forbidden").exists()


def test_a_parser_can_not_even_open_a_file(root: None) -> None:
    def attempt() -> None:
        # As the parser is: confined twice, the second time further.
        confine(os.getuid(), os.getgid(), (), lib.XDPLAB_FILTER_PARSER)
        os.open("/etc/passwd", os.O_RDONLY)

    assert confined(attempt) == errno.EPERM

    def bpf() -> None:
        confine(os.getuid(), os.getgid(), (), lib.XDPLAB_FILTER_PARSER)
        checked(LIBC.syscall(321, 0, None, 0))

    assert confined(bpf) == errno.EPERM


def test_what_a_session_needs_is_not_forbidden(root: None) -> None:
    def attempt() -> None:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_GENERIC).close()
        with Path("/etc/passwd").open() as file:
            assert fcntl.fcntl(file, fcntl.F_GETFD)
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

    assert confined(attempt) == -1


def test_the_softirq_clocks_map_can_be_read_and_not_written(broker: Broker) -> None:
    def client() -> tuple[int, int]:
        connection = connect(protocol.SOFTIRQ, path=broker.socket)
        (times,) = connection.descriptors
        size = 16 * (os.cpu_count() or 1) * 4
        key, value = ctypes.c_uint32(0), ctypes.create_string_buffer(size)

        class Element(ctypes.Structure):  # union bpf_attr, of BPF_MAP_*_ELEM
            _fields_ = (("map", ctypes.c_uint64), ("key", ctypes.c_uint64),
                        ("value", ctypes.c_uint64), ("flags", ctypes.c_uint64))  # fmt: skip

        request = Element(times, ctypes.addressof(key), ctypes.addressof(value), 0)
        read = LIBC.syscall(321, 1, ctypes.byref(request), ctypes.sizeof(request))
        LIBC.syscall(321, 2, ctypes.byref(request), ctypes.sizeof(request))
        return read, ctypes.get_errno()

    assert as_user(client) == (0, errno.EPERM)
