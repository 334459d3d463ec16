"""Each check of an exercise refuses what is not filled in and what is wrong, and takes the rest."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from support.courses import NOTEBOOKS, SOLUTIONS, needs_kernel, tagged
from support.wrong_answers import wrong_answers

from xdplab import Engine, Traffic
from xdplab.course import check, patient

EXERCISES = [
    pytest.param(
        path,
        id=path.stem,
        marks=[pytest.mark.kernel] if needs_kernel(NOTEBOOKS / path.name) else [],
    )
    for path in SOLUTIONS
]


@contextmanager
def kernel(path: Path, folder: Path) -> Iterator[NotebookClient]:
    """Start the kernel of a notebook, in a folder."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    with client.setup_kernel():
        yield client


def run(client: NotebookClient, source: str, cell_id: str) -> str:
    """Run a cell; return what it showed last as text, "" for nothing.

    With one id it is the same cell again, as in JupyterLab: what it makes replaces what it made.
    """
    session = client.kc.session
    make = type(session).msg
    session.msg = lambda kind, content=None, **more: make(
        session, kind, content, **{"metadata": {"cellId": cell_id}, **more}
    )
    cell = nbformat.v4.new_code_cell(source)
    client.nb.cells.append(cell)
    client.execute_cell(cell, len(client.nb.cells) - 1)
    shown = [output.data["text/plain"] for output in cell.outputs if "data" in output]
    return shown[-1] if shown else ""


def code(cells: list[NotebookNode]) -> list[NotebookNode]:
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", EXERCISES)
def test_a_check_refuses_what_is_wrong_and_takes_the_solution(
    privileged: None, path: Path, tmp_path: Path
) -> None:
    exercises = tagged(NOTEBOOKS / path.name, "exercise")
    with kernel(path, tmp_path) as client:
        solved = []
        for cell in code(list(client.nb.cells)):
            name = cell.metadata.get("xdplab", {}).get("solution")
            if name is None:
                run(client, cell.source, cell.id)
                continue
            unfilled = exercises[name]
            last = unfilled.splitlines()[-1]
            assert last.startswith(f'check("{name}", '), "the last line is the check"
            asked = run(client, unfilled, name)
            assert asked.startswith(f"✗ {name}: not filled in yet")
            for wrong in wrong_answers(name):
                said = run(client, f"{wrong}\n{last}", name)
                assert said.startswith(f"✗ {name}: "), (wrong, said)
                assert "not filled in" not in said
            solution = cell.source
            assert solution.splitlines()[-1] == last
            assert run(client, solution, name) == f"✓ {name}: right."
            solved.append(name)
        assert solved == list(exercises)


def test_a_repair_may_be_a_new_engine(privileged: None) -> None:
    def repair(engine: Engine, traffic: Traffic) -> Engine:
        engine.close()
        return Engine(traffic.receiver, queue=[0, 1]).start()

    assert check("05.2", repair)


@pytest.mark.parametrize("exercise", ["05.1", "05.2", "05.3"])
def test_a_broken_setup_shows_counts_and_tells_no_remedy(privileged: None, exercise: str) -> None:
    account = patient(exercise)
    shown = account._repr_html_() or ""
    assert "received by the worker" in shown
    assert not any(line in html.unescape(shown) for line in account.explain().splitlines())


def test_a_repair_that_does_not_help_is_told_where_the_packets_are(privileged: None) -> None:
    said = str(check("05.3", lambda engine, _traffic: engine))
    assert "'RX ring full'" in said
    assert "engine." not in said


@pytest.mark.parametrize("path", EXERCISES)
def test_each_exercise_has_two_wrong_answers(path: Path) -> None:
    for name in tagged(NOTEBOOKS / path.name, "exercise"):
        assert len(set(wrong_answers(name))) >= 2
