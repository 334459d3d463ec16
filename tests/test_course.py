"""The lessons as `xdplab course` lists them, the words of the checks, and the reader's progress."""

from __future__ import annotations

import os
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from support.courses import NOTEBOOKS, SOLUTIONS, tagged
from support.installs import SOURCE

from xdplab.cli.cli import main
from xdplab.core.errors import ConfigurationError
from xdplab.course import check, checking, copies
from xdplab.course.checking import checks_of
from xdplab.course.lessons import Lesson, lesson, lessons

LESSONS = lessons()


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the course for a reader, who works there."""
    monkeypatch.setenv(copies.VARIABLE, str(tmp_path))
    copies.copy()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_notebook_is_a_lesson_with_a_number_of_its_own() -> None:
    assert [each.name for each in LESSONS] == sorted(
        path.name for path in NOTEBOOKS.glob("*.ipynb")
    )
    assert len({each.number for each in LESSONS}) == len(LESSONS)
    for each in LESSONS:
        heading = nbformat.read(NOTEBOOKS / each.name, as_version=4).cells[0].source.splitlines()[0]
        assert heading == f"# {int(each.number)}. {each.title}"
        assert 5 <= each.minutes <= 90


@pytest.mark.parametrize("each", LESSONS, ids=lambda each: each.number)
def test_the_exercises_of_a_lesson_have_checks_and_solutions(each: Lesson) -> None:
    numbers = [name.split(".")[1] for name in each.exercises]
    assert list(each.exercises) == [f"{each.number}.{place + 1}" for place in range(len(numbers))]
    assert set(checks_of(each.number)) == set(numbers)
    if each.exercises:
        assert list(tagged(NOTEBOOKS / "solutions" / each.name, "solution")) == list(each.exercises)


def test_a_solution_is_of_a_lesson() -> None:
    assert {path.name for path in SOLUTIONS} <= {each.name for each in LESSONS}


def test_each_lesson_says_how_long_it_takes_and_leads_to_its_neighbours() -> None:
    links = runpy.run_path(str(SOURCE / "scripts" / "lesson_links.py"))
    for each in LESSONS:
        cells = nbformat.read(NOTEBOOKS / each.name, as_version=4).cells
        assert cells[0].source.split("\n\n")[1] == links["line_of"](each, LESSONS), (
            "run scripts/lesson_links.py"
        )
        tables = [cell.source for cell in cells if cell.metadata.get("xdplab", {}).get("contents")]
        assert all(table == links["contents"](LESSONS) for table in tables)


def test_a_lesson_is_found_by_its_number_or_its_name() -> None:
    first = lesson("1")
    assert first == lesson("01") == lesson("01-first-packets") == lesson("01-first-packets.ipynb")
    with pytest.raises(ConfigurationError, match=r"There are: .*01, "):
        lesson("77")


def test_an_answer_that_is_not_there_yet_is_no_wrong_answer() -> None:
    said = check("01.1", ..., None)
    assert not said
    assert "not filled in yet" in str(said)
    assert "✗ 01.1" in (said._repr_html_() or "")


def test_an_exercise_that_there_is_not_is_refused() -> None:
    for name in ("01.99", "1", "77.1", 3):
        with pytest.raises(ConfigurationError, match="is none of the course's"):
            check(name, 1)  # type: ignore[arg-type] # as a user may


def test_what_was_solved_is_listed(
    mine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["course"]) == 0
    assert "0 of 3" in capsys.readouterr().out
    monkeypatch.setattr(checking, "_check_of", lambda _exercise: lambda *_answer: None)
    assert check("01.1", "right")
    assert main(["course"]) == 0
    listed = capsys.readouterr().out
    assert "1 of 3" in listed
    assert all(each.title in listed for each in LESSONS)


def test_copying_prints_the_folder(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / LESSONS[0].name).unlink()
    assert main(["course", "copy"]) == 0
    assert capsys.readouterr().out == f"{mine}\n"
    assert (mine / LESSONS[0].name).exists()


@pytest.fixture
def opened(mine: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that opens a lesson, and returns JupyterLab's command in place of it."""
    ran: list[list[str]] = []

    def execv(_program: str, command: list[str]) -> None:
        ran.append(command)
        raise SystemExit

    def open_lesson(*words: str) -> list[str]:
        with pytest.raises(SystemExit):
            main(["course", "open", *words])
        return ran.pop()[1:]

    monkeypatch.setattr(os, "execv", execv)
    return open_lesson


def test_opening_hands_the_readers_own_copy_to_jupyterlab(
    mine: Path, opened: Callable[..., list[str]]
) -> None:
    assert opened("10", "--", "--port", "9000") == [
        "lab",
        "--LabApp.default_url=/lab/tree/10-packets-in-python.ipynb",
        *("--port", "9000"),
        str(mine / "10-packets-in-python.ipynb"),
    ]
    assert opened()[-1] == str(mine / LESSONS[0].name)


def test_make_lab_opens_the_first_lesson(mine: Path, opened: Callable[..., list[str]]) -> None:
    last = (SOURCE / "scripts" / "lab").read_text().splitlines()[-1]
    assert last.endswith(' "${options[@]}" "$@"')
    words = last.split("xdplab course open ")[1].split(' "')[0].split()
    assert opened(*words, "--log-level=WARN", "--port", "9000") == [
        "lab",
        f"--LabApp.default_url=/lab/tree/{LESSONS[0].name}",
        *("--log-level=WARN", "--port", "9000"),
        str(mine / LESSONS[0].name),
    ]


def test_without_jupyterlab_opening_says_what_to_install(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_given, **_more: None)
    assert main(["course", "open"]) == 2
    assert "pip install 'xdplab[notebook]'" in capsys.readouterr().err
