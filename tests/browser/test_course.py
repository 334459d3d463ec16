"""The course as a newcomer meets it: opened in JupyterLab, run cell by cell."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from jupyter_server import JupyterServer
from notebook_page import NotebookPage

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_the_browser_without_a_complaint(
    jupyter: JupyterServer,
    open_notebook: Callable[..., NotebookPage],
    picture: Callable[[NotebookPage], Path],
    request: pytest.FixtureRequest,
    path: Path,
) -> None:
    shutil.copy(path, jupyter.root / f"{request.node.name}.ipynb")
    page = open_notebook()
    cells = nbformat.read(path, as_version=4).cells
    for index, cell in enumerate(cells):
        if cell.cell_type == "code":
            page.run(index)  # fails the test where the cell fails
    assert page.page.evaluate("window.Bokeh.documents.length") > 0
    picture(page)
