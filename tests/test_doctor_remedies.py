"""What the doctor advises, typed as it stands, after which the finding is gone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.typed_remedies import commands, in_own_namespace

from xdplab import Lab, doctor
from xdplab.doctor import CHECKS, Finding, interfaces, kernel, machine
from xdplab.doctor.finding import CAPTURE
from xdplab.net.host import Host

pytestmark = pytest.mark.privilege

_CAP_SYS_RESOURCE = 24  # linux/capability.h

TRIALS: dict[str, list[Callable[..., None]]] = {}
"""What provokes the findings of a check, and types what it advises."""

NOT_HERE: dict[str, str] = {
    "kernel": "takes an older kernel",
    "AF_XDP sockets": "its remedy is the error table's: test_remedies.py",
    "network namespaces": "its remedy is the error table's: test_remedies.py",
    "capabilities": "being another user, or another container",
    "io_uring": "its remedies are the error table's: test_remedies.py",
    "user namespaces": "a setting of the whole machine",
    "container": "being in another container",
    "BTF": "booting another kernel",
    "softirq time": "its remedy is the error table's: test_remedies.py",
    "XDP objects": "installing the package that is tested",
    "clang": "installing the machine's packages",
    "notebook packages": "installing the machine's packages",
    "ping": "installing the machine's packages",
    "isolated cores": "booting anew",
    "steering": "a real interface, of the kind that no test may set",
    "backends": "says what the backends' refusals say: test_remedies.py",
}
"""Checks whose remedy can't be typed by a test, or is by another, and what it takes."""


def of(check: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test as the trial of a check's remedies."""

    def mark(trial: Callable[..., None]) -> Callable[..., None]:
        TRIALS.setdefault(check, []).append(trial)
        return trial

    return mark


def command(finding: Finding, number: int = 0) -> str:
    """Find a command in a finding's remedy; root needs no sudo."""
    assert finding.verdict != "good"
    found = commands(finding.remedy)[number]
    assert not re.search(r"\bNAME\b|\.\.\.|/N/", found), found
    return found.replace("sudo ", "")


def shell(text: str) -> None:
    subprocess.run(["sh", "-c", text], check=True, timeout=60, stdout=subprocess.DEVNULL)


def on(host: Host, text: str) -> None:
    done = host.command(["sh", "-c", text])
    assert not done.returncode, (text, done.stderr)


def test_every_check_has_a_trial() -> None:
    assert CHECKS.keys() == TRIALS.keys() | NOT_HERE.keys()
    assert not TRIALS.keys() & NOT_HERE.keys()


@of("interfaces")
@pytest.mark.kernel
@pytest.mark.parametrize("side", ["port", "peer"])
def test_a_link_that_is_down(lab: Lab, side: str) -> None:
    host: Host = getattr(lab, side)
    on(host, f"ip link set {host.interface.name} down")
    shell(command(interfaces.describe(lab.port.interface)))
    assert interfaces.describe(lab.port.interface).verdict == "good"


@of("interfaces")
@pytest.mark.kernel
def test_more_queues_than_cores(privileged: None) -> None:
    with Lab(queues=(os.cpu_count() or 1) + 1) as lab:
        on(lab.port, command(interfaces.describe(lab.port.interface)))
        assert interfaces.describe(lab.port.interface.now()).verdict == "good"


@of("interfaces")
def test_a_driver_without_native_xdp_and_a_default_route() -> None:
    in_own_namespace("""
        import re
        from xdplab.doctor import interfaces
        shell('ip link add d0 link v0 type macvlan && ip link set d0 up')
        shell('ip addr add 198.18.9.1/24 dev d0 && ip route add default via 198.18.9.2')
        found = interfaces.native_xdp(Interface.find('d0'))
        (typed,) = re.findall(r'Engine[(].*?[)]', found.remedy)
        found = interfaces.describe(Interface.find('d0'))
        (insists,) = re.findall(r'Engine[(].*?[)]', found.remedy)
        shell('ip route del default')
        eval(typed).close()
        shell('ip route add default via 198.18.9.2')
        eval(insists[:-1] + ", attach='skb')").close()
    """)


@of("interfaces")
@pytest.mark.kernel
def test_an_offload_that_spoils_af_xdp(lab: Lab) -> None:
    on(lab.port, "ethtool -K port0 rxvlan on")
    on(lab.port, command(interfaces.offloads(lab.port.interface)))
    assert interfaces.offloads(lab.port.interface).verdict == "good"


@of("locked memory")
def test_a_limit_on_locked_memory() -> None:
    if not _may_raise_limits():
        pytest.skip("raising a hard limit needs CAP_SYS_RESOURCE, which sudo has elsewhere")
    (found,) = kernel.locked_memory(64 << 10, exempt=False)
    read = "import resource; print(resource.getrlimit(resource.RLIMIT_MEMLOCK)[0])"
    typed = f'{command(found)}; exec {sys.executable} -c "{read}"'
    limited = ["prlimit", f"--memlock={64 << 10}:{64 << 10}", "sh", "-c", typed]
    done = subprocess.run(limited, capture_output=True, text=True, check=True)
    (found,) = kernel.locked_memory(int(done.stdout), exempt=False)
    assert found.verdict == "good"


def _may_raise_limits() -> bool:
    status = Path("/proc/self/status").read_text()
    (held,) = re.findall(r"^CapEff:\s*(\w+)", status, re.MULTILINE)
    return bool(int(held, 16) >> _CAP_SYS_RESOURCE & 1)


@of("cores")
def test_one_core() -> None:
    allowed = os.sched_getaffinity(0)
    if (os.cpu_count() or 1) < 2 or len(allowed) < 2:
        pytest.skip("this machine has one core")
    try:
        os.sched_setaffinity(0, {min(allowed)})
        (found,) = machine.cores()
        shell(command(found))
        (found,) = machine.cores()
        assert found.verdict == "good"
    finally:
        os.sched_setaffinity(0, allowed)


@of("CPU governor")
def test_a_governor_that_saves_power(tmp_path: Path) -> None:
    for core in ("cpu0", "cpu1"):
        setting = tmp_path / core / "cpufreq/scaling_governor"
        setting.parent.mkdir(parents=True)
        setting.write_text("powersave\n")
    (found,) = machine.governor(tmp_path)
    shell(command(found))
    assert [each.verdict for each in machine.governor(tmp_path)] == ["good"]


@of(CAPTURE)
def test_a_capture_that_loses_packets(privileged: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.capture, "_received", lambda _engine: 3)
    monkeypatch.setattr(doctor.capture, "_PATIENCE_SECONDS", 0.1)
    (found,) = doctor.capture.capture()
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", command(found)],
        env={**os.environ, **path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "received by the worker" in done.stdout
