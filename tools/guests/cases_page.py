"""Writes what the cases of tests/selftest came to as a page: docs/selftest-cases.md."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

KERNEL, CARD = "newest", "igb"
"""Where the cases run beside this machine: the driver that has every mode."""
TESTS = "tests/selftest"
THERE = f"{TESTS} -k zero-copy"
"""Those that are run in a guest: the other modes are tried on veth."""
_BUSY = {"False": "", "True": ", busy polling"}
_HEAD = """# The kernel's selftest cases

This page tells what came of the cases that the Linux kernel's own selftest of AF_XDP has \
(tools/testing/selftests/bpf in its source), each as a test of xdplab's engine in \
`tests/selftest/`. `scripts/vm cases` makes it: on veth pairs in native and SKB mode, and in \
zero-copy mode on two emulated cards in a [virtual machine](virtual-machines.md).

- **passed**: as the case says.
- **refused**: an engine or the kernel refuses it, in the words below the table.
- **not possible**: there is no such thing, for the reason below the table.
"""


class Result(NamedTuple):
    """What came of a case in a mode."""

    place: int
    """In the list of cases."""
    case: str
    rule: str
    """What it says."""
    column: str
    """Mode, and whether with busy polling."""
    outcome: str
    words: str
    test: str


class Run(NamedTuple):
    """Results of a place."""

    ports: str
    release: str
    results: tuple[Result, ...]


def run_here(folder: Path) -> str:
    """Run the cases on this machine's veth pairs; return what pytest says, as JUnit's XML."""
    with tempfile.TemporaryDirectory(prefix="xdplab-cases-") as name:
        file = Path(name) / "cases.xml"
        command = ["scripts/with-capabilities", ".venv/bin/pytest", "-q", TESTS]
        subprocess.run([*command, f"--junitxml={file}"], cwd=folder, check=False)
        return file.read_text()


def run_there(in_guest: Callable[[str], object]) -> str:
    """Run those in zero-copy mode in a guest, by a function that prints a command's output."""
    pytest = "PYTHONPATH=tools .venv/bin/python -m pytest -q -p no:cacheprovider"
    with redirect_stdout(StringIO()) as said:
        in_guest(f"{pytest} {THERE} --junitxml=/tmp/cases.xml >/dev/null 2>&1; cat /tmp/cases.xml")
    return said.getvalue()


def read_run(xml: str) -> Run:
    """Read the results of a run.

    Raises
    ------
    ValueError
        When a file of cases could not be run.
    """
    suite = next(ElementTree.fromstring(xml).iter("testsuite"))
    where = _properties(suite)
    found = [_result(each) for each in suite.iter("testcase")]
    results = sorted((each for each in found if each), key=lambda each: each.place)
    version, _, _build = where["release"].partition("-")
    return Run(where["ports"], version, tuple(results))


def write_page(page: Path, runs: Iterable[Run]) -> bool:
    """Write the page, and return whether nothing failed.

    Parameters
    ----------
    page
        The file.
    runs
        Of each place.

    Raises
    ------
    KeyError
        When a case has no result in a mode.
    """
    runs = tuple(runs)
    results = [each for run in runs for each in run.results]
    cases = {each.case: f"{each.rule} | {each.test}" for each in results}
    made = f"Made on {datetime.now(UTC):%Y-%m-%d}"
    if not any(run.ports == CARD for run in runs):
        made += ", without zero-copy mode (`--here`)"
    parts = [_HEAD, f"{made}.\n", "## The cases\n"]
    parts.append("| case | what it says | test |\n| --- | --- | --- |")
    parts.append("\n".join(f"| `{name}` | {words} |" for name, words in cases.items()) + "\n")
    for run in runs:
        parts.append(f"## {run.ports}, Linux {run.release}\n")
        parts.append("\n".join(_table(list(cases), run)) + "\n")
    page.write_text("\n".join(parts))
    return all(each.outcome != "failed" for each in results)


def _result(testcase: ElementTree.Element) -> Result | None:
    found = _properties(testcase)
    if "case" not in found:
        if testcase.find("error") is not None:  # a file of cases that can't be imported
            raise ValueError(f"{testcase.attrib['name']}: {testcase.findtext('error')}")
        return None
    failed = testcase.find("failure") is not None or testcase.find("error") is not None
    skipped = testcase.find("skipped") is not None
    outcome = "failed" if failed or skipped else found.get("outcome", "passed")
    module, test = testcase.attrib["classname"], testcase.attrib["name"].partition("[")[0]
    told = f"`{module.rpartition('.')[2]}.py`: {_sentence(test)}"
    words = found.get("words", found.get("note", ""))
    column = found["mode"] + _BUSY[found["busy"]]
    place = int(found["place"])
    return Result(place, found["case"], found["rule"], column, outcome, words, told)


def _sentence(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def _properties(element: ElementTree.Element) -> dict[str, str]:
    found = element.find("properties")
    return {} if found is None else {each.attrib["name"]: each.attrib["value"] for each in found}


def _table(cases: list[str], run: Run) -> Iterator[str]:
    """Return a table of outcomes, and below it each reason once."""
    by_place = {(each.case, each.column): each for each in run.results}
    columns = list(dict.fromkeys(each.column for each in run.results))
    numbers: dict[str, int] = {}
    yield "| case | " + " | ".join(columns) + " |"
    yield "| --- |" + " --- |" * len(columns)
    for name in cases:
        cells = [_cell(by_place[name, column], numbers) for column in columns]
        yield f"| `{name}` | " + " | ".join(cells) + " |"
    if numbers:
        yield ""
    for words, number in numbers.items():
        yield f"{number}. {' '.join(words.split())}"


def _cell(result: Result, numbers: dict[str, int]) -> str:
    if not result.words:
        return result.outcome
    return f"{result.outcome} ({numbers.setdefault(result.words, len(numbers) + 1)})"
