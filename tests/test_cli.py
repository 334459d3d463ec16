"""The command, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import xdplab as package
from xdplab import WAIT_STRATEGIES

pytestmark = pytest.mark.usefixtures("privileged")
# A ring that holds what comes while the worker has lost its core.
DEEP = ("--traffic", "20000", "--ring-size", "32768")
PROMISED = {
    *("wait", "batch", "seconds", "sent", "rx_packets", "rx_bytes", "rx_pps", "wakeups", "rearms"),
    *("syscalls", "user_ns_per_packet", "sys_ns_per_packet", "softirq_ns_per_packet", "kernel"),
    *("ledger", "balanced", "explanation", "simulated", "zero_copy"),
}


def xdplab(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("xdplab")
    return subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def run_json(*arguments: str) -> dict[str, Any]:
    done = xdplab("run", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_run_prints_one_json_object_with_all_that_is_promised(wait: str) -> None:
    seen = run_json("--seconds", "0.5", *DEEP, "--wait", wait, "--batch", "32")
    assert seen.keys() >= PROMISED
    assert (seen["wait"], seen["batch"]) == (wait, 32)
    assert seen["simulated"] is (os.environ["XDPLAB_BACKEND"] == "soft")
    assert seen["zero_copy"] is False  # which neither veth nor a simulated NIC has
    assert seen["balanced"]
    assert seen["sent"] >= seen["rx_packets"] > 0  # a busy machine's worker may come too late
    assert seen["rx_bytes"] == 64 * seen["rx_packets"]
    assert len(seen["kernel"]) == 6
    # Of a simulated wire there are none.
    assert (seen["softirq_ns_per_packet"] is None) is seen["simulated"]
    assert [set(line) for line in seen["ledger"]] == [{"stage", "packets"}] * len(seen["ledger"])


def test_run_without_traffic_captures_what_comes() -> None:
    seen = run_json("--seconds", "0.2", "--traffic", "none")
    assert seen["sent"] is None
    assert seen["rx_packets"] == 0
    assert "No packet came to" in seen["explanation"][0]
    assert seen["user_ns_per_packet"] is None


def test_run_shows_the_ledger_in_a_terminal() -> None:
    done = xdplab("run", "--seconds", "0.3", "--traffic", "1000")
    assert done.returncode == 0
    assert "received by the worker" in done.stdout
    assert "unaccounted" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--interface", "nowhere0"], "ENODEV"),
        (["--wait", "sleep"], "none of: spin, busy-poll, poll"),
        (["--batch", "0"], "--batch 0 must be"),
        (["--size", "20"], "--size 20 must be"),
        (["--traffic", "fast"], "--traffic fast must be 'max', or 0.001 to 1,000,000,000 frames"),
        (["--rate", "fast"], "such as 20_000 or '20k'. With 'none' nothing is sent."),
        (["--traffic", "-5"], "--traffic -5 must be"),
        (["--traffic", "1e-9"], "--traffic 1e-9 must be"),
        (["--size", "2k"], "--size 2000 must be"),
        (["--ring-size", "1000"], "power of two"),
        (["--bind", "zero-copy"], "EOPNOTSUPP"),
        (["--queue", "900"], "can't reach queue 900"),
        (["--interface", "lo", "--traffic", "max"], "--traffic is made in a lab, and --interface"),
        (["--interface", "lo", "--rate", "max"], "--rate is made in a lab, and --interface"),
    ],
)
def test_what_can_not_work_is_one_line_that_helps(arguments: list[str], words: str) -> None:
    done = xdplab("run", "--seconds", "0.2", *arguments)
    assert done.returncode == (1 if words.startswith("E") else 2)  # what the kernel refuses
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_it_tells_its_version_and_so_does_the_package() -> None:
    told = xdplab("--version")
    assert told.returncode == 0
    assert told.stdout == f"xdplab {package.__version__}\n"
    assert package.__version__ == metadata.version("xdplab")


def test_completion_offers_the_public_names_and_no_module() -> None:
    offered = dir(package)
    assert {"Engine", "Ledger", "__version__"} <= set(offered)
    assert not [name for name in offered if isinstance(getattr(package, name), ModuleType)]
    assert len(offered) < 60


def test_without_a_command_it_lists_them() -> None:
    done = xdplab()
    assert (done.returncode, done.stdout) == (2, "")
    for command in ("run", "doctor", "broker", "bench"):
        assert f"\n    {command} " in done.stderr


@pytest.mark.parametrize("seconds", ["0", "nan", "soon"])
def test_a_wrong_call_is_told_so_without_our_own_names(seconds: str) -> None:
    done = xdplab("run", "--seconds", seconds)
    assert done.returncode == 2
    assert "argument --seconds: " in done.stderr
    assert "_seconds" not in done.stderr


def test_a_second_queue_is_reached_from_the_core_that_leads_to_it() -> None:
    seen = run_json("--seconds", "0.3", "--traffic", "10000", "--queue", "1")
    assert seen["balanced"]
    assert seen["rx_packets"] > 0


@pytest.mark.kernel
@pytest.mark.privilege
def test_what_an_mtu_of_9000_takes_can_be_asked_for() -> None:
    made = "ip link add v0 mtu 9000 up type veth peer name p0 mtu 9000; ip link set p0 up"
    command = f"{Path(sys.executable).with_name('xdplab')} run --interface v0 --seconds 0.2 --json"

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        text = f"{made}; {command} {' '.join(options)}"
        return subprocess.run(
            ["unshare", "--net", "sh", "-c", text], capture_output=True, text=True, check=False
        )

    assert "ask for --multi-buffer, or" in run().stderr
    assert run("--multi-buffer", "--frame-size", "4096").returncode == 0
