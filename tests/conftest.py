"""Fixtures that every test of real packets shares."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from xdplab.errors import PermissionRefusedError
from xdplab.lab import Lab

_CAP_SYS_NICE = 23  # linux/capability.h


def pytest_configure() -> None:
    """Hear interrupts, as what is started here does: what a shell runs behind it ignores them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def privileged() -> None:
    """Skip what needs privileges where there are none; in continuous integration, fail it."""
    try:
        Lab(backend="kernel").close()
    except PermissionRefusedError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def lab(privileged: None) -> Iterator[Lab]:
    with Lab() as made:
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
