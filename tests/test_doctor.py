"""What the doctor finds, on this machine and on those that lack something."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console
from support.refused_calls import IO_URING_SETUP, refuse

from xdplab import Engine, Lab, doctor
from xdplab.backends import Backend
from xdplab.core.errors import ConfigurationError
from xdplab.doctor import Finding, capture, interfaces, kernel, machine, sandbox, software
from xdplab.net.features import XdpFeatures
from xdplab.net.interface import Interface
from xdplab.net.netlink import ethtool

# The first examination imports what is imported late, as long as it can be read.
WITHOUT_PRIVILEGE = """
import ctypes, json, os
from xdplab import doctor
doctor.examine()
if os.geteuid() == 0:
    PR_CAPBSET_DROP, capability = 24, 0
    while ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
header, none = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None).capset(header, none) == 0
print(json.dumps(doctor.as_json(doctor.examine())))
"""


def drawn(findings: list[Finding]) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(doctor.report(findings))
    return captured.get()


@pytest.mark.privilege
def test_a_privileged_process_captures_and_leaves_nothing_behind(privileged: None) -> None:
    doctor.examine()  # what is imported late may stay open
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not paths
    findings = doctor.examine()
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert doctor.can_capture(findings)
    (capture,) = (each for each in findings if each.name == "capture")
    assert capture.seen.startswith("100 of 100")


@pytest.mark.privilege
def test_without_privilege_every_finding_says_what_would_help() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PRIVILEGE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["can_capture"] is False
    findings = {each["name"]: each for each in said["findings"]}
    for finding in findings.values():
        assert finding["verdict"] in {"good", "limited", "missing"}
        assert finding["seen"]
        assert bool(finding["remedy"]) == (finding["verdict"] != "good"), finding
        assert "could not be examined" not in finding["seen"]
    lost = {name for name, each in findings.items() if each["verdict"] == "missing"}
    assert lost >= {"AF_XDP sockets", "network namespaces", "capabilities", "capture"}
    assert "CAP_SYS_ADMIN" in findings["capture"]["remedy"]


def test_a_check_that_fails_is_a_finding_and_the_others_go_on() -> None:
    def breaks() -> Iterator[Finding]:
        yield Finding("first", "good", "fine")
        raise RuntimeError("an unheard-of machine")

    def refuses() -> Iterator[Finding]:
        raise ConfigurationError("no such thing")

    findings = doctor.examine({"broken": breaks, "refused": refuses, "BTF": kernel.btf})
    assert [each.name for each in findings] == ["first", "broken", "refused", "BTF"]
    assert "RuntimeError: an unheard-of machine" in findings[1].seen
    assert findings[2].seen == "no such thing"
    assert all(each.verdict == "missing" and each.remedy for each in findings[1:3])


@pytest.mark.parametrize(
    ("release", "verdict", "lacks"),
    [
        ("6.1.0-13-amd64", "good", ""),
        ("10.0", "good", ""),
        ("5.18.3", "limited", "io_uring"),
        ("5.15.0-91-generic", "limited", "live-frame"),
        ("5.4.0", "missing", "bpf_link"),
        ("unheard-of", "missing", "bpf_link"),
    ],
)
def test_an_old_kernel_is_told_what_it_lacks(release: str, verdict: str, lacks: str) -> None:
    (finding,) = kernel.version(release)
    assert finding.verdict == verdict
    assert release in finding.seen
    assert lacks in finding.seen


def test_the_capability_to_administer_stands_for_those_split_off_it() -> None:
    bits = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_IPC_LOCK": 14, "CAP_SYS_ADMIN": 21}
    (finding,) = kernel.capabilities(sum(1 << bit for bit in bits.values()))
    assert finding.verdict == "good"
    (finding,) = kernel.capabilities(1 << 12 | 1 << 21)
    assert finding.verdict == "missing"
    assert finding.seen.startswith("lacking: CAP_NET_RAW (AF_XDP sockets), CAP_IPC_LOCK")
    assert "--cap-add NET_RAW --cap-add IPC_LOCK" in finding.remedy
    (finding,) = kernel.capabilities(1 << 12 | 1 << 13 | 1 << 21)
    assert finding.verdict == "limited"


def test_what_a_broker_does_for_this_process_is_not_missing() -> None:
    (alone,) = kernel.capabilities(0, broker=False)
    assert alone.verdict == "missing"
    # What stands for others is not asked for beside them.
    assert "--cap-add SYS_ADMIN" in alone.remedy
    assert "--cap-add BPF" not in alone.remedy
    (served,) = kernel.capabilities(0, broker=True)
    assert (served.verdict, served.seen) == ("limited", alone.seen)
    assert "Labs have it through the broker" in served.remedy


@pytest.mark.parametrize(
    ("limit", "exempt", "verdict"),
    [
        (8 << 20, False, "limited"),
        (64 << 10, False, "missing"),
        (64 << 10, True, "good"),
        (resource.RLIM_INFINITY, False, "good"),
    ],
)
def test_locked_memory_must_hold_an_engine(limit: int, exempt: bool, verdict: str) -> None:
    (finding,) = kernel.locked_memory(limit, exempt)
    assert finding.verdict == verdict


@pytest.mark.parametrize("code", ["EPERM", "ENOSYS"])  # docker's, and podman's
def test_a_container_that_forbids_io_uring_can_still_capture_with_poll(code: str) -> None:
    answer = (IO_URING_SETUP, getattr(errno, code))
    with ThreadPoolExecutor(1, initializer=refuse, initargs=answer) as container:
        (finding,) = container.submit(lambda: list(sandbox.io_uring())).result()
        marks = {"container": "lxc"}
        (place,) = container.submit(lambda: list(sandbox.container(Path("/no"), marks))).result()
    assert finding.verdict == "limited"
    assert code in finding.seen
    assert "seccomp" in finding.seen
    assert "A seccomp filter refuses io_uring" in finding.remedy
    assert "wait='poll'" in finding.remedy
    assert (place.verdict, place.seen) == ("limited", "lxc, with a seccomp filter")


def test_a_container_is_known_by_its_marks(tmp_path: Path) -> None:
    (none,) = sandbox.container(tmp_path, {})
    assert (none.verdict, none.seen) == ("good", "no sign of one")
    (tmp_path / ".dockerenv").touch()
    (some,) = sandbox.container(tmp_path, {"KUBERNETES_SERVICE_HOST": "198.18.0.1"})
    assert "docker in kubernetes" in some.seen


@pytest.mark.parametrize(
    ("setting", "forbids", "helps"),
    [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "unprivileged_userns=0"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces="),
    ],
)
def test_a_setting_that_forbids_user_namespaces_is_named(
    tmp_path: Path, setting: str, forbids: str, helps: str
) -> None:
    (tmp_path / setting).parent.mkdir()
    (tmp_path / setting).write_text(f"{forbids}\n")
    (finding,) = sandbox.user_namespaces(tmp_path)
    assert finding.verdict == "limited"
    assert helps in finding.remedy


def test_user_namespaces_are_tried_as_somebody_without_privileges() -> None:
    limit = Path("/proc/sys/user/max_user_namespaces").read_text().strip()
    (finding,) = sandbox.user_namespaces()
    if finding.verdict == "good":
        assert limit != "0"
        assert "without privileges can make one" in finding.seen
    else:
        assert finding.remedy


class Refused(Backend):
    """A backend that can't be used."""

    name = "refused"
    simulated = True

    def refusal(self) -> str:
        """Refuse."""
        return "it was refused. Allow it."


def test_backends_say_which_labs_take_and_how_to_get_the_next_better_one() -> None:
    # What a backend does is never asked for.
    Refused.__abstractmethods__ = frozenset()
    works = type("Works", (Refused,), {"refusal": lambda _self: "", "name": "works"})()
    refused = Refused()  # type: ignore[abstract]
    (best,) = capture.backends({"works": works, "refused": refused})
    assert (best.verdict, best.remedy) == ("good", "")
    (second,) = capture.backends({"refused": refused, "works": works})
    assert second.verdict == "limited"
    assert "labs use works, which only simulates" in second.seen
    assert second.remedy == "For refused: it was refused. Allow it."
    real = type("Real", (Refused,), {"refusal": lambda _self: "", "simulated": False})()
    (good,) = capture.backends({"refused": refused, "real": real})
    assert (good.verdict, good.remedy) == ("good", "")
    (none,) = capture.backends({"refused": refused})
    assert none.verdict == "missing"


def test_a_compiler_without_bpf_or_none_at_all_is_told_apart_from_one_that_will_do(
    tmp_path: Path,
) -> None:
    assert [each.verdict for each in software.clang()] == ["good"]
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho 'other clang version 1'\n")
    other.chmod(0o755)
    (lacking,) = software.clang(str(other))
    assert (lacking.verdict, lacking.seen) == ("limited", "other clang version 1, without BPF")
    (none,) = software.clang("no-such-compiler")
    assert "apt install clang" in none.remedy


def test_every_xdp_program_is_looked_for() -> None:
    sources = Path(__file__).parents[1] / "bpf"
    assert {f"{name}.bpf.c" for name in software.XDP_OBJECTS} == {
        each.name for each in sources.glob("*.bpf.c")
    }


def test_notebook_packages_are_held_against_what_the_notebook_needs() -> None:
    assert {each.name for each in software.notebook_packages()} >= {"jupyterlab", "ipykernel"}
    new, old, none = software.notebook_packages(
        {"numpy": "1.26", "rich": "999.1", "no-such-package": "1"}
    )
    assert (new.verdict, old.verdict, none.verdict) == ("good", "limited", "missing")
    assert "pip install 'rich>=999.1'" in old.remedy


def test_one_core_is_too_few_for_a_worker_and_a_generator() -> None:
    assert [each.verdict for each in machine.cores({3})] == ["limited"]
    assert [each.verdict for each in machine.cores({0, 3})] == ["good"]


def test_a_governor_that_saves_power_and_cores_set_aside_are_seen(tmp_path: Path) -> None:
    chosen = tmp_path / "cpu0" / "cpufreq" / "scaling_governor"
    chosen.parent.mkdir(parents=True)
    chosen.write_text("powersave\n")
    (governor,) = machine.governor(tmp_path)
    assert (governor.verdict, governor.seen) == ("limited", "powersave")
    chosen.write_text("performance\n")
    assert [each.verdict for each in machine.governor(tmp_path)] == ["good"]
    assert [each.verdict for each in machine.isolated_cores(tmp_path)] == ["limited"]
    (tmp_path / "isolated").write_text("2-3\n")
    (isolated,) = machine.isolated_cores(tmp_path)
    assert isolated.verdict == "good"
    assert "2-3" in isolated.seen


@pytest.mark.kernel
def test_an_interface_in_use_is_told_apart_from_a_free_one(lab: Lab) -> None:
    free = interfaces.describe(lab.port.interface)
    assert (free.verdict, free.seen) == ("good", "driver veth, 1 queue")
    lab.port.command(["ip", "route", "add", "default", "via", lab.peer.ipv4]).check_returncode()
    with Engine(lab.port):
        used = interfaces.describe(lab.port.interface)
    assert used.verdict == "limited"
    assert re.search(r"XDP program \d+ is attached", used.seen)
    assert "carries the default route" in used.seen
    assert "This process holds it: close the engine, engine.close(), or" in used.remedy
    with Engine(lab.port, attach="skb", allow_default_route=True):
        assert "attach='skb'" in interfaces.describe(lab.port.interface).remedy


@pytest.mark.kernel
def test_a_link_that_is_down_is_told_first_with_the_end_at_fault(lab: Lab) -> None:
    lab.peer.command(["ip", "link", "set", "peer0", "down"]).check_returncode()
    found = interfaces.describe(lab.port.interface)
    assert (found.verdict, found.seen) == ("limited", "has no carrier, driver veth, 1 queue")
    assert "its peer peer0" in found.remedy
    assert "link set peer0 up`" in found.remedy
    lab.port.command(["ip", "link", "set", "port0", "down"]).check_returncode()
    found = interfaces.describe(lab.port.interface)
    assert found.seen.startswith("is down, ")
    assert "link set port0 up`" in found.remedy


@pytest.mark.kernel
def test_more_queues_than_cores_are_too_many(privileged: None) -> None:
    cores = os.cpu_count() or 1
    with Lab(queues=cores + 1) as lab:
        many = interfaces.describe(lab.port.interface)
    assert many.verdict == "limited"
    assert f"`sudo ethtool -L port0 rx {cores}`" in many.remedy


@pytest.mark.kernel
def test_the_kernel_is_asked_what_a_driver_can_do_with_xdp(lab: Lab) -> None:
    native = interfaces.native_xdp(lab.port.interface)
    assert (native.verdict, native.seen.partition(";")[0]) == ("good", "yes")
    assert "zero-copy" in native.seen
    loopback = interfaces.native_xdp(Interface.find("lo", lab.port.interface.namespace))
    assert loopback.verdict == "limited"
    assert "attach='skb'" in loopback.remedy


def switch(interface: Interface, feature: str, on: bool) -> None:
    with ethtool(interface.name, "switch an offload") as device:
        features = device.get_features()
        features[feature] = on
        device.set_features(features)


@pytest.mark.privilege
def test_an_offload_that_spoils_af_xdp_is_seen_until_it_is_off(lab: Lab) -> None:
    interface = lab.port.interface
    interface.namespace.run(switch, interface, "rx-vlan-hw-parse", True)
    on = interfaces.offloads(interface)
    assert (on.verdict, on.remedy) == ("limited", "`sudo ethtool -K port0 rxvlan off`.")
    interface.namespace.run(switch, interface, "rx-vlan-hw-parse", False)
    assert interfaces.offloads(interface).verdict == "good"


def test_cards_that_join_frames_are_told_to_stop_where_they_can() -> None:
    finding = interfaces.judge_offloads(
        "eth7", {"rx-lro": (True, True), "rx-gro-hw": (True, False)}
    )
    assert finding.verdict == "limited"
    assert "`sudo ethtool -K eth7 lro off`" in finding.remedy
    assert (
        "rx-gro-hw can't be switched off here: use Engine('eth7', attach='skb')" in finding.remedy
    )
    native = interfaces.judge_native_xdp(
        "eth7",
        XdpFeatures(native=True, zero_copy=True, segments=1),
        {"rx-lro": (False, True), "rx-gro-hw": (True, False), "rx-vlan-hw-parse": (True, True)},
    )
    assert (native.verdict, native.seen) == ("limited", "in this driver, but not with rx-gro-hw on")
    assert native.remedy in finding.remedy
    # virtio_net switches it off itself, if the device lets it.
    switched = interfaces.judge_offloads("eth7", {"rx-gro-hw": (True, True)}, "virtio_net")
    assert switched.verdict == "good"
    fixed = interfaces.judge_offloads("eth7", {"rx-gro-hw": (True, False)}, "virtio_net")
    assert "use Engine('eth7', attach='skb')" in fixed.remedy
    free = interfaces.judge_offloads("eth7", {"rx-lro": (False, True), "rx-gro": (True, True)})
    assert free.verdict == "good"


@pytest.mark.privilege
def test_zero_copy_is_tried_on_an_interface_that_is_named(lab: Lab) -> None:
    here = lab.port.interface.namespace
    checks = {"none": lambda: [Finding("none", "good", "fine")]}
    _, tried = here.run(doctor.examine, checks, interface="port0")
    assert (tried.name, tried.verdict) == ("port0: zero-copy", "limited")
    assert "EOPNOTSUPP" in tried.seen and "bind='copy'" in tried.remedy
    assert lab.port.interface.attached_program() == 0


@pytest.mark.kernel
def test_interrupts_on_every_core_leave_none_to_a_worker(lab: Lab) -> None:
    none = interfaces.interrupts(lab.port.interface)
    assert (none.verdict, none.seen) == ("good", "none")
    served = dataclasses.replace(lab.port.interface, interrupt_cores=frozenset({1, 3}))
    free = interfaces.interrupts(served, {0, 1, 2, 3})
    assert (free.verdict, free.seen) == ("good", "on cores 1, 3; workers go to 0, 2 first")
    taken = interfaces.interrupts(served, {1})
    assert taken.verdict == "limited"
    assert "/proc/interrupts" in taken.remedy


def test_the_report_shows_each_finding_with_its_remedy_as_it_is_written() -> None:
    findings = [
        Finding("one", "good", "fine"),
        Finding("[two]", "missing", "[b]none", "`fix [it]`"),
    ]
    text = drawn(findings)
    for part in ("one", "fine", "[two]", "[b]none", "→ `fix [it]`", "was not examined"):
        assert part in text
    assert "can't capture" in drawn([Finding("capture", "missing", "0 of 100", "Try again.")])
    assert "can't" not in drawn([Finding("capture", "good", "100 of 100")])


@pytest.mark.kernel
def test_what_a_driver_tells_of_packets_and_does_with_them_is_listed(lab: Lab) -> None:
    (found,) = interfaces.metadata(lab.port.interface)
    assert found.verdict == "good"
    # A veth has no zero-copy, and so nothing to ask for.
    assert found.seen.endswith("it does with packets sent with zero-copy: nothing")
    assert "received packet: timestamp, hash, VLAN tag" in found.seen
