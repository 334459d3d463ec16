"""Who holds an interface is named, and what that says to type lets an engine have it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from support.child_programs import line, python
from support.typed_remedies import in_a_child, in_own_namespace

from xdplab import Engine, Lab
from xdplab.net.holders import socket_holders

pytestmark = pytest.mark.privilege  # to attach programs by other means

_PASS = """
__attribute__((section("xdp"), used)) int pass(void *context) { return 2; }
__attribute__((section("license"), used)) char gpl[] = "GPL";
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile a program that lets everything pass."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "pass.c").write_text(_PASS)
    command = ["clang", "-target", "bpf", "-O2", "-c", "pass.c", "-o", "pass.o"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "pass.o"


@pytest.mark.parametrize("mode", ["xdpgeneric", "xdpdrv"])
@pytest.mark.parametrize("attach", ["native", "skb"])
def test_a_program_that_ip_attached_is_taken_off_as_it_says(
    program: Path, mode: str, attach: str
) -> None:
    refused, again = in_own_namespace(
        f"""
        shell('ip link set dev v0 {mode} obj {program} sec xdp')
        typed(lambda: Engine('v0', attach='{attach}'))
        tried(lambda: Engine('v0', attach='{attach}'))
        """
    )
    assert ("EBUSY" if (mode == "xdpgeneric") == (attach == "skb") else "EEXIST") in refused
    assert f"dev v0 {'xdp' if mode == 'xdpdrv' else mode} off`" in refused
    assert not again


def test_a_program_and_libxdps_dispatcher_are_called_by_their_names(
    program: Path, tmp_path: Path
) -> None:
    (tmp_path / "dispatcher.c").write_text(_PASS.replace("int pass", "int xdp_dispatcher"))
    command = ["clang", "-target", "bpf", "-O2", "-c", "dispatcher.c", "-o", "dispatcher.o"]
    subprocess.run(command, cwd=tmp_path, check=True)
    other, dispatcher, again = in_own_namespace(
        f"""
        shell('ip link set dev v0 xdp obj {program} sec xdp')
        typed(lambda: Engine('v0'))
        shell('ip link set dev v0 xdp obj {tmp_path}/dispatcher.o sec xdp')
        typed(lambda: Engine('v0'))
        tried(lambda: Engine('v0'))
        """
    )
    assert re.search(r"XDP program \d+ \(pass\) is on v0", other)
    assert "(xdp_dispatcher) is on v0, attach='native': libxdp's dispatcher" in dispatcher
    assert "libxdp" not in other
    assert not again


@pytest.mark.parametrize("attach", ["native", "skb"])
def test_another_process_is_named_and_ends_as_it_says(attach: str) -> None:
    refused, again = in_own_namespace(
        f"""
        from support.waiting import eventually
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            engine = Engine('v0')
            os.write(theirs, b'x')
            time.sleep(120)
        os.close(theirs)
        assert os.read(ours, 1)
        typed(lambda: Engine('v0', attach='{attach}'))
        os.waitpid(child, 0)
        assert eventually(lambda: not Interface.find('v0').attached_program())
        tried(lambda: Engine('v0', attach='{attach}'))
        """
    )
    assert "holds it, as another engine would" in refused
    assert "ip link set" not in refused
    assert not again


def test_a_program_on_what_stands_on_the_interface_is_named(program: Path) -> None:
    refused, again = in_own_namespace(
        f"""
        shell('ip link add m0 link v0 type macvlan && ip link set m0 up')
        shell('ip link set dev m0 xdpgeneric obj {program} sec xdp')
        typed(lambda: Engine('v0'))
        tried(lambda: Engine('v0'))
        """
    )
    assert "m0 is on top of v0" in refused
    assert not again


def test_a_socket_without_a_program_is_told_with_its_process_and_the_other_queues() -> None:
    refused, other, again = in_a_child(
        """
        lab = Lab(queues=2)
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:  # it keeps the socket, and leaves the program off
            engine = Engine(lab.port)
            for link in list(Path('/proc/self/fd').iterdir()):
                if link.is_symlink() and 'bpf_link' in str(link.readlink()).replace('-', '_'):
                    os.close(int(link.name))
                    break
            os.write(theirs, b'x')
            time.sleep(120)
        os.close(theirs)
        assert os.read(ours, 1)
        said = tried(lambda: Engine(lab.port))
        tried(lambda: Engine(lab.port, queue=1).close())
        type_in(said)
        os.waitpid(child, 0)
        tried(lambda: Engine(lab.port))
        """
    )
    assert "0 to 1" in refused
    assert "These have AF_XDP sockets in its network namespace: process " in refused
    assert not other
    assert not again


def test_a_process_with_a_socket_of_another_namespace_is_not_named() -> None:
    text = """
import time
from xdplab import Engine, Lab
with Lab() as lab, Engine(lab.port):
    print("bound", flush=True)
    time.sleep(60)
"""
    with python(text) as other, Lab() as lab, Engine(lab.port):
        assert line(other) == "bound"
        found = [each.number for each in socket_holders(lab.port.interface.namespace)]
        other.kill()
    assert found == [os.getpid()]


def test_a_program_on_the_loopback_is_told_from_another_generator(program: Path) -> None:
    refused, again = in_a_child(
        f"""
        lab = Lab()
        attach = 'ip link set dev lo xdpgeneric obj {program} sec xdp'
        assert lab.peer.command(attach.split()).returncode == 0
        typed(lambda: Traffic(lab.peer, lab.port))
        tried(lambda: Traffic(lab.peer, lab.port))
        """
    )
    assert "is on lo" in refused
    assert not again
