"""Fixtures that every test of real packets shares."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from xdplab.errors import PermissionRefusedError
from xdplab.lab import Lab


@pytest.fixture(scope="session")
def privileged() -> None:
    """Skip what needs privileges where there are none; in continuous integration, fail it."""
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
