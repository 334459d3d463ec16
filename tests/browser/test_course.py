"""The course as a newcomer meets it: opened in JupyterLab, run cell by cell."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from harness.jupyter_server import JupyterServer
from playwright.sync_api import expect
from support.pages import OpenNotebook, Picture
from support.waiting import eventually

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


WIDGETS = ".jp-Notebook .jp-OutputArea-output > .jupyter-widgets"

# Widgets that draw a figure of Bokeh's.
FIGURES = ("Dashboard(", "LatencyView(", "Compare(", "ProgramView(", "Rings(")

DRAWING = """
from xdplab import Engine, Lab
from xdplab.course import way
lab = Lab()
engine = Engine(lab.port)
way(engine)
"""

# How many of these cells end in a widget.
SHOWN = """cells => {
    const model = window.jupyterapp.shell.currentWidget.content.model;
    const views = index => model.cells.get(index).outputs.toJSON().filter(
        output => 'application/vnd.jupyter.widget-view+json' in (output.data ?? {}));
    return cells.flatMap(views).length;
}"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_the_browser_without_a_complaint(
    jupyter: JupyterServer,
    open_notebook: OpenNotebook,
    picture: Picture,
    request: pytest.FixtureRequest,
    path: Path,
) -> None:
    shutil.copy(path, jupyter.root / f"{request.node.name}.ipynb")
    page = open_notebook()
    cells = nbformat.read(path, as_version=4).cells
    *lesson, closing = (index for index, cell in enumerate(cells) if cell.cell_type == "code")
    for index in lesson:
        page.run(index)  # fails the test where the cell fails
    shown, widgets = page.page.locator(WIDGETS), page.page.evaluate(SHOWN, lesson)
    expect(shown).to_have_count(widgets)
    if any(name in cell.source for cell in cells for name in FIGURES):
        assert page.page.evaluate("window.Bokeh.documents.length") > 0
    if widgets:
        shown.last.evaluate("widget => widget.scrollIntoView()")
    picture(page)
    page.run(closing)


def test_a_drawing_has_the_ink_of_the_theme(open_notebook: OpenNotebook) -> None:
    page = open_notebook(DRAWING)
    page.run(0)
    words = page.page.locator(".jp-OutputArea-output svg text", has_text="worker")

    def ink() -> str:
        return str(words.evaluate("each => getComputedStyle(each).fill"))

    in_light = ink()
    page.change_theme("dark")
    assert eventually(lambda: ink() != in_light)
