"""However a lab ends, and wherever one fails to begin, nothing is left of it."""

from __future__ import annotations

import gc
import os
import signal
import socket
import weakref
from contextlib import suppress
from pathlib import Path

import pytest
from support.capabilities import without
from support.child_programs import line, python
from support.ended_namespaces import Witness
from support.waiting import eventually

from xdplab.lab.lab import Lab
from xdplab.net.namespace import to_the_end

# The kernel's alone: what looks for namespaces, or takes sockets and commands in them.

pytestmark = pytest.mark.usefixtures("privileged")


@pytest.fixture(autouse=True)
def nothing_of_earlier_tests() -> None:
    """Free namespaces that earlier tests in this process left to the garbage collector.

    A witness watches all that the process holds, and can't enter those of a lab process that ended.
    """
    gc.collect()


@pytest.mark.kernel
def test_leaving_the_with_block_ends_both_namespaces() -> None:
    with Lab():
        witness = Witness(os.getpid())
        assert witness.left() == 2
    assert witness.sees_the_end()


def test_an_exception_ends_both_namespaces() -> None:
    with pytest.raises(ZeroDivisionError), Lab():
        witness = Witness(os.getpid())
        print(1 / 0)
    assert witness.sees_the_end()


def test_dropping_the_last_reference_ends_both_namespaces() -> None:
    lab = Lab()
    witness = Witness(os.getpid())
    del lab
    gc.collect()
    assert witness.sees_the_end()


def divide() -> float:
    return 1 / 0


@pytest.mark.kernel
def test_an_error_that_was_caught_keeps_no_namespace() -> None:
    gc.disable()  # which would free what the error's own frames hold in a circle
    try:
        lab = Lab()
        namespace = weakref.ref(lab.port.interface.namespace)
        with suppress(ZeroDivisionError):
            lab.port.interface.namespace.run(divide)
        with suppress(ZeroDivisionError):
            to_the_end(lambda held=lab: held.port.interface.namespace.run(divide))
        lab.close()
        del lab
        assert namespace() is None
    finally:
        gc.enable()


@pytest.mark.kernel
def test_an_open_socket_keeps_its_namespace_but_not_the_wire() -> None:
    lab = Lab()
    witness = Witness(os.getpid())
    with lab.port.socket(socket.AF_PACKET, socket.SOCK_RAW) as kept:
        kept.bind(("port0", 3))
        lab.close()
        with pytest.raises(OSError, match="No such device"):
            kept.bind(("port0", 3))
        assert witness.left() >= 1
    assert witness.sees_the_end()


@pytest.mark.kernel
@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_process_ends_both_namespaces(way: signal.Signals) -> None:
    text = "from xdplab.lab.lab import Lab; lab = Lab(); print(repr(lab), flush=True); input()"
    with python(f"import sys; {text}") as process:
        assert "port0" in line(process)
        witness = Witness(process.pid)
        assert witness.left() == 2
        process.send_signal(way)
        process.wait()
        assert witness.sees_the_end()


@pytest.mark.kernel
def test_a_command_in_the_background_keeps_nothing_alive() -> None:
    text = """
import os, subprocess
from xdplab.lab.lab import Lab
from xdplab.net.namespace import to_the_end
lab = Lab()
print(subprocess.Popen(["sleep", "100"], close_fds=False).pid, flush=True)
input()
"""
    with python(text) as process:
        sleeper = int(line(process))
        witness = Witness(process.pid)
        assert witness.left() == 2
        process.kill()
        process.wait()
        try:
            assert witness.sees_the_end()
            assert Path(f"/proc/{sleeper}").exists()
        finally:
            os.kill(sleeper, signal.SIGKILL)


@pytest.mark.kernel
def test_a_command_inside_a_lab_dies_with_the_process() -> None:
    text = """
from xdplab.lab.lab import Lab
from xdplab.net.namespace import to_the_end
lab = Lab()
print("ready", flush=True)
lab.port.command(["sh", "-c", "echo started >&2; exec sleep 100"])
"""
    with python(text) as process:
        line(process)
        witness = Witness(process.pid)
        assert eventually(lambda: has_child(process.pid))
        process.kill()
        process.wait()
        assert witness.sees_the_end()


def has_child(process: int) -> bool:
    """Tell whether a thread of a process has started another process."""
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            if children.read_text():
                return True
    return False


@pytest.mark.privilege  # what is said where a capability is missing
@pytest.mark.parametrize(
    ("capability", "tried"),
    [("sys_admin", "make a network namespace"), ("net_admin", "make a veth pair")],
)
def test_a_missing_capability_is_named_and_nothing_is_left(capability: str, tried: str) -> None:
    text = """
from xdplab.core.errors import PermissionRefusedError
from xdplab.lab.lab import Lab
from xdplab.net.namespace import to_the_end
try:
    Lab()
except PermissionRefusedError as error:
    print(error, flush=True)
input()
"""
    with python(text, *without(capability)) as process:
        message = line(process)
        assert f"could not {tried}: the kernel said EPERM" in message
        assert f"CAP_{capability.upper()}" in message
        assert Witness(process.pid).left() == 0


def test_wherever_descriptors_run_out_nothing_half_made_is_left() -> None:
    text = """
import gc, os, resource
from xdplab.core.errors import XdplabError
from xdplab.lab.lab import Lab
from xdplab.net.namespace import to_the_end
Lab().close()  # loads what is loaded at first use
gc.collect()
before = os.listdir("/proc/self/fd")
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
for limit in range(len(before), 100):
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    try:
        Lab().close()
        break
    except XdplabError as error:
        assert "EMFILE" in str(error), error
    finally:
        gc.collect()
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        after = os.listdir("/proc/self/fd")
        assert after == before, (limit, before, after)
print("all steps failed cleanly but the last, with", limit - len(before), flush=True)
"""
    with python(text) as process:
        assert "cleanly" in line(process)
