"""What the tests in a guest of `make vm` have."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.cards import Cards, cards_up


@pytest.fixture(scope="session")
def cards() -> Iterator[Cards]:
    """Have two cards."""
    with cards_up() as made:
        yield made


@pytest.fixture(scope="session")
def release() -> tuple[int, int]:
    """Return the kernel's version, as (6, 1)."""
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int(minor)
