"""Which backend makes a lab: the best that can be used, or the one that was asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping

import pytest

from xdplab.backends import BACKENDS, BEST, VARIABLE
from xdplab.core.errors import ConfigurationError
from xdplab.lab import lab as lab_module
from xdplab.lab.lab import BackendWarning, Lab

_BY_NOBODY = """
import os, sys
import xdplab
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)  # and with root's user id all capabilities are gone
"""


def told_by(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in another process, where the tests' own choice of a backend does not count."""
    others = {name: value for name, value in os.environ.items() if name != VARIABLE}
    # No broker, whether or not one serves this machine.
    without = {"XDPLAB_BROKER": "/nonexistent/broker.sock"}
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**others, **without, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answer(program: str, **environment: str) -> Mapping[str, object]:
    """Run a program that prints one JSON object, and return that."""
    done = told_by(program, **environment)
    assert done.returncode == 0, done.stderr
    found: Mapping[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin like a process that has not told of its backend yet."""
    monkeypatch.setattr(lab_module, "_told", set())


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_whom_make_lab_could_give_nothing_is_not_sent_to_make_lab() -> None:
    seen = answer(
        "import os\nos.environ['XDPLAB_OPENED_BY_MAKE_LAB'] = '1'\n"
        + _BY_NOBODY
        + """
import json
with xdplab.Lab() as lab:
    print(json.dumps({"note": lab.note}))
"""
    )
    assert "have root start a broker" in str(seen["note"])
    assert "open the notebooks with" not in str(seen["note"])


def test_without_a_privilege_a_lab_is_simulated_and_says_why_and_what_would_help() -> None:
    seen = answer(
        _BY_NOBODY
        + """
import json, warnings
with warnings.catch_warnings(record=True) as told, xdplab.Lab() as lab, xdplab.Lab() as other:
    print(json.dumps({
        "backend": lab.backend, "simulated": lab.simulated, "note": lab.note,
        "told": [str(one.message) for one in told], "repr": repr(lab),
    }))
"""
    )
    assert (seen["backend"], seen["simulated"]) == ("soft", True)
    note = str(seen["note"])
    assert "simulated" in note
    assert "'kernel' can't be used: this process lacks CAP_NET_ADMIN" in note
    assert "make lab" in note
    assert seen["told"] == [note]  # once, though there were two labs
    assert "[simulated]" in str(seen["repr"])


@needs_root
def test_who_insists_on_the_kernel_gets_no_simulation() -> None:
    for how, environment in (("backend='kernel'", {}), ("", {VARIABLE: "kernel"})):
        done = told_by(f"{_BY_NOBODY}\nxdplab.Lab({how})", **environment)
        assert done.returncode != 0
        assert "PermissionRefusedError" in done.stderr


@pytest.mark.privilege
def test_a_refusal_for_another_reason_than_privilege_is_not_papered_over(privileged: None) -> None:
    done = told_by(
        """
import resource, xdplab
xdplab.Lab().close()  # with all the files open that its modules take
most = len(__import__("os").listdir("/proc/self/fd")) + 1
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
try:
    xdplab.Lab()
except xdplab.KernelError as error:
    print(type(error).__name__, error)
"""
    )
    assert done.stdout.startswith("KernelError"), done.stdout + done.stderr
    assert "EMFILE" in done.stdout


@pytest.mark.privilege
def test_with_the_privileges_the_kernel_makes_the_lab_without_a_word(
    privileged: None, monkeypatch: pytest.MonkeyPatch, nothing_told: None
) -> None:
    monkeypatch.delenv(VARIABLE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Lab() as lab:
            assert (lab.backend, lab.simulated, lab.note) == (BEST, False, "")
            assert "simulated" not in repr(lab)


def test_the_environment_names_a_backend_and_who_makes_the_lab_may_name_another(
    monkeypatch: pytest.MonkeyPatch, nothing_told: None
) -> None:
    monkeypatch.setenv(VARIABLE, "kernel")
    with Lab(backend="soft") as lab:
        assert lab.backend == "soft"
    monkeypatch.setenv(VARIABLE, "soft")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # who asked for it, need not be told
        with Lab() as lab:
            assert lab.backend == "soft"
            assert "as was asked for" in lab.note


@pytest.mark.parametrize("name", ["sotf", "SOFT", " "])
def test_a_backend_that_does_not_exist_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^backend='{name}' is none of: {BEST}, .*soft"):
        Lab(backend=name)
    monkeypatch.setenv(VARIABLE, name)
    with pytest.raises(ConfigurationError, match=f"^{VARIABLE}='{name}' is none of"):
        Lab()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BackendWarning)
        with Lab() as lab:
            assert lab.backend in BACKENDS


def test_the_soft_backend_is_the_last_resort_and_never_refuses() -> None:
    last = list(BACKENDS)[-1]
    assert last == "soft"
    assert BACKENDS[last].refusal() == ""
