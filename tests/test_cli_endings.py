"""However a run ends, and whatever its output can take: the figures that there are, are told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from support.installs import SOURCE
from support.threads import threads_of
from support.waiting import eventually

from xdplab import Lab, Telemetry, XdplabError

pytestmark = pytest.mark.usefixtures("privileged")
COMMAND = Path(sys.executable).with_name("xdplab")
RUN = (str(COMMAND), "run", "--traffic", "2000")
BRIEF = (*RUN, "--seconds", "0.3")
TOLD = "received by the worker"
FORMS = pytest.mark.parametrize("form", [(), ("--json",)])


def shell(
    script: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as its output is redirected by a script, in which it is "$@"."""
    done = subprocess.run(
        ["bash", "-c", script, "bash", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **(environment or {})},
    )
    assert "Traceback" not in done.stderr
    return done


@FORMS
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('"$@" >/dev/full', "ENOSPC"),
        ('"$@" >&-', "EBADF"),
        ('"$@" 2> >(cat >&2) | true; exit ${PIPESTATUS[0]}', "EPIPE"),
    ],
)
def test_what_standard_output_can_not_take_goes_to_standard_error(
    script: str, reason: str, form: tuple[str, ...]
) -> None:
    done = shell(script, [*BRIEF, *form])
    assert done.returncode == 1
    assert reason in done.stderr
    assert TOLD in done.stderr
    if form:
        assert json.loads(done.stderr.splitlines()[-1])["rx_packets"] > 0


@pytest.mark.parametrize("script", ['"$@" >/dev/full 2>/dev/full', '"$@" >&- 2>&-'])
def test_with_nowhere_to_tell_it_the_status_says_so(script: str) -> None:
    assert shell(script, BRIEF).returncode == 1


@pytest.mark.parametrize("arguments", [("doctor",), ("bench",), ("--help",), ("run", "--help")])
@pytest.mark.parametrize("script", ['"$@" >/dev/full', '"$@" >&-'])
def test_every_command_says_that_its_output_is_gone(
    arguments: tuple[str, ...], script: str
) -> None:
    done = shell(script, [str(COMMAND), *arguments])
    assert "xdplab: could not write to standard output" in done.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii:strict"])
@pytest.mark.parametrize("arguments", [BRIEF, (str(COMMAND), "doctor")])
def test_an_encoding_that_lacks_characters_gets_others(
    encoding: str, arguments: tuple[str, ...]
) -> None:
    done = shell('"$@" | cat -v', arguments, {"PYTHONIOENCODING": encoding})
    assert (TOLD if "run" in arguments else "AF_XDP") in done.stdout
    assert done.stderr == ""


@pytest.mark.privilege  # through a broker it takes fewer descriptors
def test_a_limit_is_raised_by_what_is_typed_in_the_shell_afterwards() -> None:
    type_it = """ulimit -S -n 24
        typed=$("$@" 2>&1 >/dev/null | grep -oE '`[^`]*prlimit [^`]*`' | tr -d '`')
        echo "$typed" >&2
        eval "$typed" >/dev/null && exec "$@"
    """
    done = shell(type_it, BRIEF)
    assert "prlimit --pid $$ --nofile=" in done.stderr
    assert TOLD in done.stdout


def test_the_doctor_names_the_shell_that_it_was_started_by() -> None:
    done = shell('exec taskset -c 0 "$@"', [str(COMMAND), "doctor", "--json"])
    assert " $$`" in done.stdout or os.cpu_count() == 1


def test_the_live_table_has_a_header_and_in_ascii_its_graph_too() -> None:
    words = " ".join([*RUN, "--seconds", "1"])
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    typed = shell('script -qec "$1" /dev/null', [words], ascii_only).stdout
    shown = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", typed)
    assert re.search(r"figure.*now.*the last 3.6 s, and settings", shown)
    assert re.search(r"received / s .*\|.*\|.*#", shown)
    assert "?" not in shown
    assert shown.isascii()
    assert TOLD in shown


def started(*more: str) -> subprocess.Popen[str]:
    """Start a long run, and wait until it has captured some of its traffic."""
    process = subprocess.Popen(
        [*RUN, "--seconds", "60", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert eventually(lambda: _received(process.pid))
    return process


def _received(process: int) -> int:
    """Return how many packets a process's engine has received; 0 where it has none yet."""
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError, XdplabError):  # it was closed, or is being made
            if "xdplab-telemetry" in str(link.readlink()):
                return int(Telemetry.open(link).total()["rx_packets"])
    return 0


def _captures(process: int) -> bool:
    return "xdplab-worker" in threads_of(process).values()


def _measures(process: int) -> bool:
    """Tell whether a process's main thread sleeps for long, as it does between two looks."""
    before = _sleep(process)
    time.sleep(0.05)
    return "nanosleep" in before[0] and _sleep(process) == before


def _sleep(process: int) -> tuple[str, list[str]]:
    """Return where a process's main thread sleeps, and how often it has gone to sleep."""
    status = Path(f"/proc/{process}/status").read_text()
    times = re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)
    return Path(f"/proc/{process}/wchan").read_text(), times


@pytest.mark.parametrize(
    ("number", "times", "form"),
    [
        (signal.SIGINT, 1, ()),
        (signal.SIGINT, 3, ("--json",)),
        (signal.SIGTERM, 1, ()),
        (signal.SIGTERM, 2, ("--json",)),
        (signal.SIGHUP, 1, ("--json",)),
    ],
)
def test_a_run_that_a_signal_ends_tells_what_it_has(
    number: signal.Signals, times: int, form: tuple[str, ...]
) -> None:
    with started(*form) as process:
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.02)
        said, complained = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert complained == ""
    assert TOLD in said
    if form:
        seen = json.loads(said)
        assert seen["interrupted"]
        assert seen["error"] is None
        assert seen["rx_packets"] > 0
    else:
        assert f"{number.name} ended it after " in said


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    done = shell('trap "" HUP; "$@" & sleep 2; kill -HUP $!; wait $!', [*RUN, "--seconds", "3"])
    assert done.returncode == 0
    assert TOLD in done.stdout


@FORMS
@pytest.mark.kernel
@pytest.mark.privilege
def test_a_run_whose_interface_goes_away_tells_what_it_has(form: tuple[str, ...]) -> None:
    with Lab() as lab:
        target = f"/proc/{os.getpid()}/fd/{lab.port.interface.namespace.fd}"
        arguments = [str(COMMAND), "run", "--interface", "port0", "--seconds", "60", *form]
        with subprocess.Popen(
            ["nsenter", f"--net={target}", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert eventually(lambda: _captures(process.pid) and _measures(process.pid))
            with lab.peer.socket() as sender:
                for _ in range(5):
                    sender.sendto(b"x" * 20, (lab.port.ipv4, 9))
            assert eventually(lambda: _received(process.pid) == 5)
            lab.peer.command(["ip", "link", "del", "peer0"])
            said, complained = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "xdplab: could not" in complained
    assert "Traceback" not in complained
    if form:
        seen = json.loads(said)
        assert seen["rx_packets"] == 5
        assert seen["error"] in complained
    else:
        assert "5 packets in" in said


BUILDING = """
import sys, time
sys.path.append({!r})
import early_interrupt
print("building", flush=True)
time.sleep(60)
"""


@pytest.mark.privilege  # in the suites of other backends there are no scripts/
@pytest.mark.parametrize(("name", "is_ours"), [("xdplab", True), ("another", False)])
def test_an_interrupt_while_an_editable_install_is_built_ends_the_command_without_a_traceback(
    tmp_path: Path, name: str, is_ours: bool
) -> None:
    (tmp_path / name).write_text(BUILDING.format(str(SOURCE / "scripts")))
    with subprocess.Popen(
        [sys.executable, tmp_path / name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "building\n"
        process.send_signal(signal.SIGINT)
        _said, complained = process.communicate(timeout=30)
    assert (process.returncode == 130, complained == "") == (is_ours, is_ours)


@pytest.mark.privilege  # another user's install is a wheel
def test_python_runs_that_at_each_start_of_this_install() -> None:
    site = Path(sysconfig.get_path("purelib"))
    lines = [line for file in site.glob("xdplab*.pth") for line in file.read_text().splitlines()]
    assert "import _xdplab_early_interrupt" in lines


@pytest.mark.privilege  # its wheel is built from the source tree
def test_an_interrupt_while_it_is_imported_ends_it_without_a_traceback(installed: Path) -> None:
    command = [installed / "bin" / "xdplab", "run", "--seconds", "30"]
    for milliseconds in range(0, 400, 40):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            maps = Path(f"/proc/{process.pid}/maps")
            assert eventually(lambda maps=maps: "numpy" in maps.read_text())
            time.sleep(milliseconds / 1000)
            process.send_signal(signal.SIGINT)
            _said, complained = process.communicate(timeout=30)
        assert process.returncode == 130
        assert complained == ""
