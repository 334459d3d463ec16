"""Each case of the list has a test, and its result is on the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from selftest.cases import CASES

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "selftest-cases.md"


@pytest.mark.parametrize("name", CASES)
def test_each_case_has_a_test(name: str) -> None:
    sources = [each.read_text() for each in HERE.glob("test_case_*.py")]
    assert sum(f'"{name}"' in source for source in sources) == 1


def test_each_case_has_results_on_the_page() -> None:
    tables = PAGE.read_text().split("| case |")[1:]
    assert len(tables) >= 2  # what each says; and the results of a place
    for table in tables:
        rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
        assert [row[0] for row in rows] == [f"| `{name}`" for name in CASES]
        assert all(cell.strip(" |") for row in rows for cell in row)
