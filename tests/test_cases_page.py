"""The page of the kernel's selftest cases: what a run says, and nothing blank."""

from __future__ import annotations

from pathlib import Path

import pytest
from guests.cases_page import read_run, write_page


def result_of(case: str, busy: bool, inside: str = "", **facts: str) -> str:
    facts = {"case": case, "rule": "It is.", "place": case[-1], "mode": "native", **facts}
    properties = "".join(
        f'<property name="{name}" value="{value}"/>'
        for name, value in {**facts, "busy": str(busy)}.items()
    )
    return (
        f'<testcase classname="tests.selftest.test_case_x" name="test_it_is[{case}]">'
        f"<properties>{properties}</properties>{inside}</testcase>"
    )


def run_of(*testcases: str) -> str:
    where = '<property name="ports" value="veth"/><property name="release" value="6.18"/>'
    body = f"<properties>{where}</properties>{''.join(testcases)}"
    return f"<testsuites><testsuite>{body}</testsuite></testsuites>"


def test_it_has_each_outcome_with_its_reason(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    run = read_run(
        run_of(
            result_of("CASE_2", False, outcome="refused", words="It says no."),
            result_of("CASE_2", True, outcome="not possible", words="There is none."),
            result_of("CASE_1", False),
            result_of("CASE_1", True, note="It does nothing."),
            '<testcase classname="tests.selftest.test_case_list" name="test_list"/>',
        )
    )
    assert write_page(page, [run])
    text = page.read_text()
    assert "| `CASE_1` | It is. | `test_case_x.py`: it is |" in text
    assert text.index("| `CASE_1` |") < text.index("| `CASE_2` |")
    assert "## veth, Linux 6.18" in text
    assert "| `CASE_1` | passed | passed (1) |" in text
    assert "| `CASE_2` | refused (2) | not possible (3) |" in text
    assert "1. It does nothing.\n2. It says no.\n3. There is none." in text


@pytest.mark.parametrize("inside", ["<failure/>", "<error/>", "<skipped/>"])
def test_what_failed_or_was_skipped_is_told_as_failed(tmp_path: Path, inside: str) -> None:
    page = tmp_path / "page.md"
    assert not write_page(page, [read_run(run_of(result_of("CASE_1", False, inside)))])
    assert "| `CASE_1` | failed |" in page.read_text()


def test_a_case_without_a_result_is_no_blank(tmp_path: Path) -> None:
    run = read_run(run_of(result_of("CASE_1", False), result_of("CASE_2", True)))
    with pytest.raises(KeyError):
        write_page(tmp_path / "page.md", [run])
