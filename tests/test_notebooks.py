"""Every notebook runs from top to bottom, and is stored without what it printed."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from support.courses import needs_kernel

from xdplab.backends import VARIABLE

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
RUN = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.kernel] if needs_kernel(path) else [])
    for path in NOTEBOOKS
]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.skipif(
    os.environ[VARIABLE] == "kernel", reason="tests/browser/test_lessons.py runs it, in a browser"
)
@pytest.mark.parametrize("path", RUN)
def test_it_runs_from_top_to_bottom(privileged: None, path: Path) -> None:
    outputs = run(path)
    # Whoever reads it without a browser still sees what each widget stands for.
    shown = [output["data"]["text/plain"] for output in outputs if "data" in output]
    if os.environ[VARIABLE] == "soft":
        assert any("simulated" in words for words in shown)
        assert all("simulated" in words for words in shown if words.startswith("<"))


def run(path: Path) -> list[NotebookNode]:
    """Run a notebook, none of whose cells may fail; return what they showed."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert outputs
    assert not any("Traceback" in str(output) for output in outputs)
    return outputs


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert "widgets" not in notebook.metadata
