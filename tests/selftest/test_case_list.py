"""Each case of the list has a test."""

from __future__ import annotations

from pathlib import Path

import pytest
from selftest.cases import CASES

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", CASES)
def test_each_case_has_a_test(name: str) -> None:
    sources = [each.read_text() for each in HERE.glob("test_case_*.py")]
    assert sum(f'"{name}"' in source for source in sources) == 1
