"""Fixtures that every test of real packets shares."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from support.installs import folder_of_installs, installed, wheel  # noqa: F401 - fixtures
from support.kernel_only import is_scenery

from xdplab.backends import VARIABLE
from xdplab.core.errors import PermissionRefusedError
from xdplab.lab.lab import Lab

_CAP_SYS_NICE = 23  # linux/capability.h

# How long an example takes says what else the machine does. CI's profile is hypothesis's own.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


# Which tests a backend can't run, by their marker; pyproject.toml says what the markers mean.
# What is there runs in a guest of `make vm`, which has two cards.
collect_ignore = [] if "XDPLAB_VM_CARD" in os.environ else ["vm"]
# Who runs tests without privilege has a copy of tests/ alone.
if not Path(__file__).parents[1].joinpath("tools").is_dir():
    collect_ignore += ["test_virtual_machines.py", "test_cases_page.py", "selftest"]

_LEFT_OUT = {"kernel": (), "broker": ("privilege",), "soft": ("privilege", "kernel")}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        choices=list(_LEFT_OUT),
        default=os.environ.get(VARIABLE) or "kernel",
        help="who makes the labs; tests that another one can't run are left out",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Set what this process and those that it starts have in common."""
    # A shell starts what it runs in the background with SIGINT ignored, and nohup with SIGHUP.
    for number, action in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, action)
    os.environ[VARIABLE] = config.getoption("--backend")
    installs = ExitStack()
    installs.enter_context(folder_of_installs())
    config.add_cleanup(installs.close)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = _LEFT_OUT[config.getoption("--backend")]
    out = [item for item in items if any(map(item.get_closest_marker, left_out))]
    if left_out:
        out += [item for item in items if "may_place" in item.fixturenames]  # type: ignore[attr-defined]
        out += filter(is_scenery, items)
        # Whoever makes the labs, a test that has none is the same.
        out += [item for item in items if "privileged" not in item.fixturenames]  # type: ignore[attr-defined]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Name a failure when it happens, in place of the F that pytest prints then."""
    if report.failed and report.when == "call":
        return "failed", f"\nFAILED {report.nodeid}\n", "FAILED"
    return None


@pytest.fixture(scope="session")
def privileged() -> None:
    """Skip what needs a lab where there can be none; in continuous integration, fail it."""
    try:
        Lab().close()
    except PermissionRefusedError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def lab(privileged: None) -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture
def other(privileged: None) -> Iterator[Lab]:
    with Lab(number=1) as made:
        yield made


@pytest.fixture
def may_place(privileged: None) -> None:
    """Skip what binds threads of the kernel where this process may not, as `privileged` does."""
    status = Path("/proc/self/status").read_text()
    capabilities = int(
        next(line for line in status.splitlines() if "CapEff" in line).split()[1], 16
    )
    if not capabilities >> _CAP_SYS_NICE & 1:
        if os.environ.get("CI") == "true":
            pytest.fail("CAP_SYS_NICE is missing")
        pytest.skip("binding threads of the kernel to cores needs CAP_SYS_NICE, as root has")


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warm nothing up: here it is counted, and not how fast."""
    for module in ("wire", "benchmarks.latency"):
        monkeypatch.setattr(f"xdplab.bench.{module}._WARM_UP_SECONDS", 0.02)
