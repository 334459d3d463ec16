"""A lab process: root over its own network namespaces, and gone with its client."""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.child_programs import line, python
from support.pings import all_answered
from support.waiting import eventually

from xdplab.backends.kernel.lab import make_lab
from xdplab.backends.lab_plan import LabPlan
from xdplab.backends.lab_process.client import LabProcess
from xdplab.core.errors import ClosedError, KernelError, XdplabError
from xdplab.net.host import Host
from xdplab.net.interface import Interface
from xdplab.net.namespace import Namespace

LAB = LabPlan(queues=2, mtu=1500, number=0)
PROC = Path("/proc")


@pytest.fixture(scope="module")
def process() -> Iterator[LabProcess]:
    with LabProcess() as made:
        yield made


@pytest.fixture(scope="module")
def hosts(process: LabProcess) -> Iterator[tuple[Host, Host]]:
    port, peer = make_lab(LAB, process.create_namespace)
    yield port, peer
    for host in (port, peer):
        host.interface.namespace.close()


def capabilities() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("CapEff:")[1].split()[0], 16)


def test_a_lab_of_it_is_a_lab(hosts: tuple[Host, Host]) -> None:
    port, peer = hosts
    assert all_answered(peer, port.ipv4, 2)
    assert all_answered(port, peer.ipv6)
    assert port.interface.queues == 2
    assert "rx_queue_1_xdp_packets" in port.interface.driver_statistics()
    assert peer.interface.link_statistics()["tx_packets"] >= 3
    assert not port.interface.carries_default_route()


def test_it_is_root_over_its_own_network_and_nobody_outside(
    process: LabProcess, tmp_path: Path
) -> None:
    assert process.call(os.getuid) == 0
    assert process.call(capabilities) != 0
    with pytest.raises(OSError, match="Operation not permitted"):
        process.call(socket.sethostname, "mine")  # of the host's own UTS namespace
    process.call((tmp_path / "made").write_text, "")
    assert (tmp_path / "made").stat().st_uid == os.getuid()


def test_a_socket_comes_out_of_it_and_goes_back_in(hosts: tuple[Host, Host]) -> None:
    port, peer = hosts
    with port.socket() as receiver, peer.socket() as sender:
        receiver.bind((port.ipv4, 4009))
        receiver.settimeout(20)
        sender.sendto(b"hello", (port.ipv4, 4009))
        assert receiver.recv(10) == b"hello"
        assert port.run(socket.socket.getsockname, receiver) == (port.ipv4, 4009)
        assert port.run(socket.socket.gettimeout, receiver) == 20


def test_a_socket_that_it_made_belongs_to_the_lab_and_not_to_it(hosts: tuple[Host, Host]) -> None:
    port, _ = hosts
    before = port.run(os.listdir, "/proc/self/fd")
    with port.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("port0", 0))
        # Fewer, where a call before had not quite ended.
        assert eventually(lambda: len(port.run(os.listdir, "/proc/self/fd")) <= len(before))


def test_an_interface_keeps_its_namespace_on_both_ways(hosts: tuple[Host, Host]) -> None:
    port, _ = hosts

    def itself(interface: Interface) -> Interface:
        assert interface.namespace.run(interface.is_up)
        return interface

    again = port.run(itself, port.interface)
    assert again == port.interface
    assert again.namespace is port.interface.namespace
    assert Interface.find("port0", again.namespace).namespace is again.namespace


def test_functions_travel_with_what_they_close_over(process: LabProcess) -> None:
    factor = 7
    assert process.call(lambda value: value * factor, 6) == 42


def test_errors_come_back_as_themselves(process: LabProcess) -> None:
    refused = KernelError("count to three", errno.E2BIG, "Count to two.")

    def refuse() -> None:
        raise refused

    with pytest.raises(KernelError) as raised:
        process.call(refuse)
    assert (str(raised.value), raised.value.errno) == (str(refused), errno.E2BIG)
    assert (raised.value.tried, raised.value.remedy) == (refused.tried, refused.remedy)
    with pytest.raises(subprocess.TimeoutExpired) as late:
        process.call(subprocess.run, ["sleep", "100"], timeout=0.1)
    assert late.value.cmd == ["sleep", "100"]
    with pytest.raises(ZeroDivisionError) as divided:
        process.call(lambda: 1 // 0)
    assert "in the lab's process" in divided.value.__notes__[0]


@pytest.mark.parametrize("unpicklable", [threading.Lock, lambda: (n for n in range(3))])
def test_what_cannot_be_passed_is_named(
    process: LabProcess, unpicklable: Callable[[], object]
) -> None:
    with pytest.raises(XdplabError, match=r"could not pass a value.*picklable"):
        process.call(unpicklable)
    with pytest.raises(XdplabError, match=r"could not pass a value.*picklable"):
        process.call(id, unpicklable())
    assert process.call(int) == 0


def test_more_sockets_than_the_kernel_passes_at_once_are_refused(process: LabProcess) -> None:
    pairs = [socket.socketpair() for _ in range(130)]
    with pytest.raises(XdplabError, match="at most 253"):
        process.call(len, pairs)
    for pair in pairs:
        for each in pair:
            each.close()


@settings(max_examples=25)
@given(st.binary(max_size=3_000_000), st.lists(st.integers() | st.text(), max_size=20))
def test_whatever_is_passed_arrives_whole(
    process: LabProcess, content: bytes, several: list[int | str]
) -> None:
    assert process.call(lambda *given: given, content, several) == (content, several)


def test_calls_do_not_wait_for_each_other(process: LabProcess) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        waiting = threading.Thread(target=process.call, args=(socket.socket.recv, theirs, 1))
        waiting.start()
        assert process.call(int, "17") == 17
        assert waiting.is_alive()
        ours.send(b"x")
        waiting.join(30)
        assert not waiting.is_alive()


def test_an_interrupt_ends_only_the_wait(process: LabProcess, tmp_path: Path) -> None:
    begun, may_end, done = (tmp_path / name for name in ("begun", "may end", "done"))
    main = threading.main_thread().ident
    assert main is not None

    def work() -> None:
        begun.touch()
        while not may_end.exists():
            time.sleep(0.01)
        done.touch()

    def interrupt() -> None:
        if eventually(begun.exists):
            signal.pthread_kill(main, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        threading.Thread(target=interrupt).start()
        process.call(work)
    assert not done.exists()
    may_end.touch()
    assert eventually(done.exists)
    assert process.call(int) == 0


def test_what_runs_out_of_descriptors_says_so_and_leaves_none(process: LabProcess) -> None:
    text = """
import os, resource
from xdplab.core.errors import XdplabError
from xdplab.backends.lab_process.client import LabProcess
process = LabProcess()
process.create_namespace().close()
before, (_, most) = os.listdir("/proc/self/fd"), resource.getrlimit(resource.RLIMIT_NOFILE)
for spare in range(5):
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) - 1 + spare, most))
    try:
        process.create_namespace().close()
        break
    except (XdplabError, OSError) as error:
        assert error.errno == 24, error
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        assert os.listdir("/proc/self/fd") == before
print("cleanly, at", spare)
"""
    with python(text) as client:
        assert line(client).startswith("cleanly, at ")


CLIENT = """
import os, subprocess, time
from xdplab.backends.lab_process.client import LabProcess
process = LabProcess()
def sleeper():
    return subprocess.Popen(["sh", "-c", "sleep 100 & wait"]).pid
pids = [process.call(os.getpid), process.call(sleeper)]
while not (kids := open(f"/proc/{pids[1]}/task/{pids[1]}/children").read()):
    time.sleep(0.01)
print(*pids, kids, flush=True)
"""


def is_gone(process: int) -> bool:
    """Tell whether a process has ended, whether or not anybody has asked how."""
    try:
        return "State:\tZ" in (PROC / str(process) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), 9)",
        "os.kill(os.getpid(), 15)",
        "process.close()\ninput()",
        "del process, sleeper\nimport gc\ngc.collect()\ninput()",
        "",
        "if not os.fork(): time.sleep(3), os._exit(0)\nos.kill(os.getpid(), 9)",
    ],
)
def test_it_ends_with_its_client_and_so_does_what_it_started(end: str) -> None:
    with python(f"{CLIENT}{end}") as client:
        started = [int(pid) for pid in line(client).split()]
        assert len(started) == 3
        assert eventually(lambda: all(map(is_gone, started)))


def test_one_that_was_killed_says_so_and_is_reaped() -> None:
    with LabProcess() as process:
        number = process.call(os.getpid)
        os.kill(number, signal.SIGKILL)
        with pytest.raises(ClosedError, match="has ended"):
            while True:
                process.call(int)
        assert process.closed
    assert not (PROC / str(number)).exists()


def test_a_forked_child_may_use_it_and_does_not_end_it(process: LabProcess) -> None:
    child = os.fork()
    if not child:
        works = process.call(int, "3") == 3
        process.close()
        os._exit(not works)
    assert os.waitpid(child, 0)[1] == 0
    assert process.call(int, "4") == 4


def test_nothing_is_left_of_a_namespace_that_is_closed(process: LabProcess) -> None:
    namespace = process.create_namespace()
    identity = namespace.identity
    namespace.run(int)
    with pytest.raises(ZeroDivisionError):
        namespace.run(lambda: 1 // 0)
    namespace.close()

    def held() -> bool:
        found = set()
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # the one that lists them
                status = descriptor.stat()
                found.add((status.st_dev, status.st_ino))
        return identity in found

    assert eventually(lambda: not process.call(held))
    gc.collect()
    assert not held()


def test_a_namespace_of_the_host_is_not_its_to_enter(process: LabProcess) -> None:
    with Namespace.current() as here, pytest.raises(KernelError, match=r"enter.*EPERM"):
        process.call(Namespace.run, here, int)
