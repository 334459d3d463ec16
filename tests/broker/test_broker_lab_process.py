"""A lab process that the broker starts for a client who may not make user namespaces."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pty
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.brokers import Broker, Start
from support.child_programs import line
from support.clients import NOBODY, Report, as_user, puppet
from support.programs import client
from support.waiting import eventually

from xdplab.backends.lab_process.client import LabProcess
from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.broker.daemon.limits import LAB_TASKS
from xdplab.core.errors import PermissionRefusedError

pytestmark = pytest.mark.privilege  # it starts a broker, and becomes another user

# A user's own seccomp filter stands for a distribution that forbids it.
FORBIDDEN = """
import ctypes, struct
def forbid():
    filters = b"".join(struct.pack("HBBI", *each) for each in (
        (0x20, 0, 0, 0),  # load the call's number
        (0x15, 0, 3, 272),  # unshare?
        (0x20, 0, 0, 16),  # load what is to be unshared
        (0x45, 0, 1, 0x10000000),  # CLONE_NEWUSER?
        (0x06, 0, 0, 0x00050001),  # EPERM
        (0x06, 0, 0, 0x7FFF0000),
    ))
    kept = ctypes.create_string_buffer(filters, len(filters))
    program = struct.pack("HP", len(filters) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, *map(ctypes.c_ulong, (1, 0, 0, 0))) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, ctypes.c_ulong(2), program) == 0  # PR_SET_SECCOMP, filter
    assert libc.unshare(0x10000000) == -1
forbid()
"""


def test_where_user_namespaces_are_forbidden_a_lab_is_real_nevertheless(
    broker: Broker, installed: Path
) -> None:
    text = f"""{FORBIDDEN}
import json, os
from xdplab import Engine, Lab, Ledger, Traffic
with Lab() as lab:
    pings = lab.peer.ping(lab.port.ipv4, count=2).received
    with Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=5_000, count=900) as traffic:
        ledger = Ledger(engine, traffic)
        traffic.wait(60)
        balanced = ledger.settle(30).balanced
        received = int(engine.telemetry.total()["rx_packets"])
    process = lab.port.run(os.getpid)
    print(json.dumps([lab.backend, lab.simulated, balanced, received, pings, process]), flush=True)
    input()
"""
    with client(installed, broker.socket, text) as made:
        *seen, process = json.loads(line(made))
        assert process in broker.lab_processes()
        made.kill()
        assert broker.is_quiet()
    assert seen == ["broker", False, True, 900, 2]


def in_lab_process(broker: Broker, function: Callable[[], object], user: int = NOBODY) -> object:
    """Run a function of a client's in a lab process that the broker made."""

    def client() -> object:
        with LabProcess(connect(protocol.LAB, path=broker.socket).socket) as process:
            return process.call(function)

    return as_user(client, user=user)


def test_it_is_its_clients_and_has_no_power_outside(broker: Broker) -> None:
    def look() -> list[object]:
        status = dict(
            each.split(":", 1) for each in Path("/proc/self/status").read_text().splitlines()
        )
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/proc/self/ns/net").open() as hosts:  # nor over the network that it began in
            assert libc.setns(hosts.fileno(), 0) == -1
        return [Path("/proc/self/uid_map").read_text().split(), status["NoNewPrivs"].strip(),
                ctypes.get_errno()]  # fmt: skip

    assert in_lab_process(broker, look) == [["0", str(NOBODY), "1"], "1", errno.EPERM]


def test_it_has_nothing_of_the_brokers(broker: Broker) -> None:
    """Neither its streams, nor where anything is in the memory of those who have power."""

    def look() -> tuple[list[str], set[str], set[str]]:
        folder = Path("/proc/self/fd")
        streams = [str((folder / str(number)).readlink()) for number in range(3)]
        maps = Path("/proc/self/maps").read_text().splitlines()
        libraries = {each.split("-")[0] for each in maps if ".so" in each}
        return streams, {str(each) for each in folder.iterdir()}, libraries

    streams, _, libraries = in_lab_process(broker, look)  # type: ignore[misc]
    assert streams == [os.devnull] * 3
    listener = Path(f"/proc/{broker.process.pid}/maps").read_text().splitlines()
    assert not libraries & {each.split("-")[0] for each in listener if ".so" in each}


@pytest.fixture
def terminal() -> Iterator[str]:
    ours, theirs = pty.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_it_has_no_way_to_the_terminal_that_the_broker_was_started_at(
    terminal: str, start_broker: Start
) -> None:
    """There it could type what root then runs."""
    begin = (
        "import os, sys; os.setsid(); terminal = os.open(sys.argv[1], os.O_RDWR); "
        "os.dup2(terminal, 0); os.dup2(terminal, 1); os.execv(sys.argv[2], sys.argv[2:])"
    )
    broker = start_broker(before=(sys.executable, "-c", begin, terminal))
    own = Path(f"/proc/{broker.process.pid}/stat").read_text().rpartition(")")[2].split()[4]
    assert own != "0"  # it has a terminal

    def look() -> object:
        try:
            return os.open("/dev/tty", os.O_RDWR)
        except OSError as error:
            return error.errno

    assert in_lab_process(broker, look) == errno.ENXIO


def test_it_runs_out_of_processes_before_the_broker_does(broker: Broker) -> None:
    def multiply() -> int:
        children = []
        with suppress(BlockingIOError):
            while len(children) < 2 * LAB_TASKS:
                child = os.fork()
                if not child:
                    signal.pause()
                children.append(child)
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        return len(children)

    assert 10 < int(str(in_lab_process(broker, multiply))) < LAB_TASKS


def test_root_gets_none(broker: Broker) -> None:
    """The root of a container that has the socket would be the host's."""
    with pytest.raises(PermissionRefusedError, match="not for root"):
        connect(protocol.LAB, path=broker.socket)


def unshared(what: int) -> Callable[[str], str]:
    def enter(path: str) -> str:
        assert ctypes.CDLL(None).unshare(what) == 0
        return path

    return enter


def locked_in(path: str) -> str:
    os.chroot(Path(path).parent)
    return f"/{Path(path).name}"


WALLS: dict[str, Callable[[str], str]] = {
    "processes": unshared(0x20000000),  # CLONE_NEWPID
    "network": unshared(0x40000000),  # CLONE_NEWNET
    "files": locked_in,
}


@pytest.mark.parametrize("wall", WALLS)
def test_who_is_in_a_container_gets_none(broker: Broker, wall: str) -> None:
    """It would be outside of it, with the host's."""

    def client(path: str) -> str:
        with pytest.raises(PermissionRefusedError, match="out of a container"):
            connect(protocol.LAB, path=path)
        return "refused"

    def contained() -> str:
        path = WALLS[wall](broker.socket)
        return as_user(lambda: client(path))

    assert as_user(contained, user=0, group=0) == "refused"


def test_it_ends_with_the_broker(start_broker: Start) -> None:
    broker = start_broker()

    def client(report: Report) -> object:
        process = LabProcess(connect(protocol.LAB, path=broker.socket).socket)
        report(str(process.call(os.getpid)))
        return process

    with puppet(client) as made:
        process = Path("/proc") / made.report()
        broker.process.kill()
        broker.process.wait()
        assert eventually(lambda: not (process / "fd").exists() or not process.exists())


def test_it_takes_no_descriptor(broker: Broker) -> None:
    def client() -> str:
        ours, _ = socket.socketpair()
        with pytest.raises(Exception, match="came with 1 descriptors"):
            connect(protocol.LAB, descriptor=ours.fileno(), path=broker.socket)
        return "refused"

    assert as_user(client) == "refused"
