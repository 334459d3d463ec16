"""`make lab` for a user who is not root, and the units for systemd."""

from __future__ import annotations

import configparser
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from support import within_unit
from support.brokers import Start
from support.child_programs import line
from support.clients import as_user
from support.installs import SOURCE
from support.programs import client

from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.broker.daemon import confinement
from xdplab.broker.daemon.limits import LAB_TASKS, Limits
from xdplab.core.errors import KernelError

INSIDE = """#!/bin/sh
echo "{name} $*" >> {log}
"""


@pytest.fixture
def tree(root: None) -> Iterator[Path]:
    """Make a source tree whose xdplab and sudo only note that they were called."""
    folder = Path(tempfile.mkdtemp(prefix="xdplab-offer-"))
    shutil.copytree(SOURCE / "scripts", folder / "scripts")
    (folder / "bin").mkdir()
    (folder / ".venv" / "bin").mkdir(parents=True)
    log = folder / "log"
    log.touch()
    for command in (folder / "bin" / "sudo", folder / ".venv" / "bin" / "xdplab"):
        command.write_text(INSIDE.format(name=command.name, log=log))
        command.chmod(0o755)
    for each in (folder, log):
        each.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def lab(tree: Path, answer: str | None = None, **environment: str) -> str:
    """Run `scripts/lab` as a user, at a terminal where an answer is given; say what was called."""
    settings = {
        "PATH": f"{tree}/bin:/usr/bin:/bin",
        "HOME": str(tree),
        "XDPLAB_BROKER": str(tree / "socket"),
    }

    def run() -> str:
        ours, terminal = pty.openpty()
        at = {"stdin": subprocess.DEVNULL} if answer is None else {"stdin": terminal}
        if answer is not None:
            os.write(ours, f"{answer}\n".encode())
            at |= {"stdout": terminal, "stderr": terminal}
        subprocess.run(
            [tree / "scripts" / "lab"], env=settings | environment, check=False, timeout=60, **at
        )  # type: ignore[call-overload]
        return (tree / "log").read_text()

    return as_user(run)


def test_who_finds_the_install_of_another_user_is_told_so(tree: Path) -> None:
    (tree / "build" / "venv").mkdir(parents=True)  # root's
    said = as_user(
        lambda: subprocess.run(
            [tree / "scripts" / "setup"], capture_output=True, text=True, check=False
        )
    )
    assert said.returncode == 1
    assert "root made this install" in said.stderr
    assert (
        f"mkdir ~/xdplab && cp -r '{tree}'/[!.]* ~/xdplab && cd ~/xdplab && make lab" in said.stderr
    )
    assert len(said.stderr.splitlines()) == 1


START = """
import os
import _xdplab_as_another_user
print(os.environ.get("MESONPY_EDITABLE_VERBOSE"))
raise ImportError({!r})
"""


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ('rebuilding the "xdplab" editable package failed', "xdplab: root made this install"),
        ("no such module", "ImportError: no such module"),
    ],
)
def test_another_user_runs_an_install_as_it_is_and_is_told_when_it_must_be_built(
    tree: Path, failure: str, words: str
) -> None:
    site = tree / ".venv" / "lib" / "python3" / "site-packages"
    site.mkdir(parents=True)
    (tree / "build" / "venv").mkdir(parents=True)  # root's
    shutil.copy(SOURCE / "scripts" / "as_another_user.py", site / "_xdplab_as_another_user.py")
    command = ("/usr/bin/python3", "-c", START.format(failure))

    def run() -> subprocess.CompletedProcess[str]:
        paths = {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, env=paths, capture_output=True, text=True, check=False)

    of_another, of_root = as_user(run), run()
    assert (of_another.stdout.strip(), of_root.stdout.strip()) == ("1", "None")
    assert of_another.stderr.splitlines()[-1].startswith(words)
    assert of_root.stderr.splitlines()[-1] == f"ImportError: {failure}"


def test_without_a_terminal_nothing_is_asked(tree: Path) -> None:
    called = lab(tree)
    assert "sudo --preserve-env setpriv" in called
    assert "/opt/xdplab" not in called


def test_in_continuous_integration_nothing_is_asked(tree: Path) -> None:
    assert "/opt/xdplab" not in lab(tree, "y", CI="true")


def test_who_declines_gets_the_capabilities(tree: Path) -> None:
    called = lab(tree, "n")
    assert "sudo --preserve-env setpriv" in called
    assert "/opt/xdplab" not in called


def test_whom_sudo_refuses_gets_the_simulated_nic(tree: Path) -> None:
    with (tree / "bin" / "sudo").open("a") as sudo:
        sudo.write("exit 1\n")
    assert [line.split()[0] for line in lab(tree).splitlines()] == ["sudo", "xdplab"]


def test_who_wants_the_simulated_nic_is_asked_for_nothing(tree: Path) -> None:
    assert lab(tree, "y", XDPLAB_BACKEND="soft").startswith("xdplab course open")


def test_who_accepts_gets_a_broker_from_a_root_owned_install(tree: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        # Where the script looks for it once it was started.
        (tree / "bin" / "sudo").write_text(
            INSIDE.format(name="sudo", log=tree / "log") + f"chmod 666 {tree}/socket\n"
        )
        as_user(lambda: listener.bind(str(tree / "socket")))
        (tree / "socket").chmod(0)
        called = lab(tree, "y").splitlines()
    assert "/usr/bin/python3 -m venv --clear /opt/xdplab" in called[0]
    assert "/opt/xdplab/bin/xdplab broker --group" in "".join(called[1:-1])
    assert called[-1].startswith("xdplab course open")


def test_where_a_broker_runs_jupyter_gets_no_power(tree: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tree / "socket"))
        (tree / "socket").chmod(0o666)
        assert lab(tree, "y").startswith("xdplab course open")


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((files("xdplab") / "broker" / name).read_text())
    return parser


def test_the_units_say_what_the_broker_does() -> None:
    service, listener = unit("xdplab-broker.service"), unit("xdplab-broker.socket")
    granted = set(service["Service"]["CapabilityBoundingSet"].split())
    names = ["KILL", "SETGID", "SETUID", "SETPCAP", "NET_ADMIN", "IPC_LOCK", "SYS_ADMIN"]
    names += ["PERFMON", "BPF"]
    assert granted == {f"CAP_{name}" for name in names}
    assert {getattr(confinement, name) for name in names} == set(confinement.LISTENER)
    assert listener["Socket"]["ListenSequentialPacket"] == protocol.SOCKET_PATH
    assert (listener["Socket"]["SocketMode"], listener["Socket"]["SocketGroup"]) == (
        "0660",
        "xdplab",
    )
    # One user's lab processes leave room for others, and one that takes all the memory ends alone.
    assert int(service["Service"]["TasksMax"]) > LAB_TASKS * Limits().sessions
    assert service["Service"]["OOMPolicy"] == "continue"
    # What a lab process needs is in a drop-in of its own, for those who need that.
    assert set(service["Service"]["RestrictNamespaces"].split()) == {"net"}
    labs = unit("labs.conf")["Service"]
    assert set(labs["RestrictNamespaces"].split()) == {"user", "net"}
    # The listener ends its sessions itself.
    assert service["Service"]["KillMode"] == "mixed"
    assert service["Service"]["ExecStart"].split()[:2] == ["/opt/xdplab/bin/python", "-I"]


def test_the_unit_is_confined_to_what_the_broker_needs() -> None:
    """systemd-analyze weighs what a service may do, from 0 to 10; it needs no running systemd."""
    path = files("xdplab") / "broker" / "xdplab-broker.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(score) < 3, done.stdout


def test_within_its_unit_the_broker_serves_engines_generators_and_clocks(
    start_broker: Start, installed: Path
) -> None:
    path = files("xdplab") / "broker" / "xdplab-broker.service"
    wrapper = Path(within_unit.__file__)
    broker = start_broker(before=(sys.executable, str(wrapper), str(path)))
    text = """
from xdplab import Engine, Lab, Ledger, Traffic
with Lab() as lab, Engine(lab.port) as engine:
    with Traffic(lab.peer, lab.port, rate=5_000, count=500) as traffic:
        ledger = Ledger(engine, traffic)
        traffic.wait(60)
        print(ledger.settle(30).balanced, traffic.sent, lab.backend)
"""
    with client(installed, broker.socket, text) as process:
        assert line(process) == "True 500 broker", broker.log()

    def lab_process() -> str:
        with pytest.raises(KernelError, match="drop-in labs"):
            connect(protocol.LAB, path=broker.socket)
        with connect(protocol.SOFTIRQ, path=broker.socket) as clock:
            return str(len(clock.descriptors))

    assert as_user(lab_process) == "1"
