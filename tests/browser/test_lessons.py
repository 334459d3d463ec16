"""The course as a newcomer meets it: opened in JupyterLab, run cell by cell."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from harness.jupyter_server import JupyterServer
from harness.notebook_page import NotebookPage
from playwright.sync_api import expect
from support.pages import Look, OpenNotebook
from support.waiting import eventually

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


WIDGETS = ".jp-Notebook .jp-OutputArea-output > .jupyter-widgets"

# Widgets that draw a figure of Bokeh's.
FIGURES = ("Dashboard(", "LatencyView(", "Compare(", "ProgramView(", "Rings(")


def show_five_minutes(page: NotebookPage) -> None:
    menu = page.page.locator(".widget-dropdown", has_text="Last").locator("select")
    menu.select_option("5 min")
    page.wait_until(SPANS_FIVE_MINUTES)


def filter_frames(page: NotebookPage) -> None:
    rows = page.page.locator(".xdplab-frames-table tbody tr")
    expect(rows.filter(has_text="UDP").first).to_be_visible()
    box = page.page.locator(".xdplab-frames-filter")
    box.fill("tcp")
    box.press("Enter")
    expect(rows.filter(has_text="UDP")).to_have_count(0)
    box.fill("udp port 9")
    box.press("Enter")
    expect(rows.filter(has_text="UDP").first).to_be_visible()


def follow_another_frame(page: NotebookPage) -> None:
    box = page.page.get_by_placeholder("number, or click one")
    box.fill("30")
    box.press("Enter")
    expect(page.page.get_by_text("frame 30: in the").first).to_be_visible()


def read_the_last_second(page: NotebookPage) -> None:
    page.page.locator(".widget-dropdown select").last.select_option("last second")
    expect(page.page.get_by_text("frames").first).to_be_visible()


def set_a_rule(page: NotebookPage) -> None:
    box = page.page.get_by_placeholder("udp 9")
    box.fill("tcp 81")
    box.press("Enter")
    expect(page.page.get_by_title("Remove tcp 81")).to_be_visible()


# What a reader does with a widget, by the lesson and the last line of the cell that shows it.
USES: dict[tuple[str, str], Callable[[NotebookPage], None]] = {
    ("01-first-packets", "Dashboard(engine, traffic)"): show_five_minutes,
    ("01-first-packets", "frames"): filter_frames,
    ("02-the-four-rings", "view"): follow_another_frame,
    ("03-how-should-a-thread-wait", "view"): read_the_last_second,
    ("08-your-own-xdp-program", "RuleEditor(rules)"): set_a_rule,
    ("10-packets-in-python", "Dashboard(capture)"): show_five_minutes,
}

# Each lesson is looked at as a whole in the first of these views, and these lessons in all.
LOOKED_AT = ("01", "02", "03", "05", "08", "10")
VIEWS = ((1440, "light"), (1440, "dark"), (960, "dark"), (960, "light"))

SPANS_FIVE_MINUTES = """() => window.Bokeh?.documents.some(document => {
    const span = document.get_model_by_name('window');
    return span && Math.abs(span.end - span.start - 300_000) < 1;
})"""

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
    look: Look,
    request: pytest.FixtureRequest,
    path: Path,
) -> None:
    shutil.copy(path, jupyter.root / f"{request.node.name}.ipynb")
    page = open_notebook()
    cells = nbformat.read(path, as_version=4).cells
    *lesson, closing = (index for index, cell in enumerate(cells) if cell.cell_type == "code")
    uses = {last: use for (stem, last), use in USES.items() if stem == path.stem}
    for index in lesson:
        page.run(index)  # fails the test where the cell fails
        if use := uses.pop(cells[index].source.splitlines()[-1], None):
            use(page)
    assert not uses
    shown, widgets = page.page.locator(WIDGETS), page.page.evaluate(SHOWN, lesson)
    expect(shown).to_have_count(widgets)
    if any(name in cell.source for cell in cells for name in FIGURES):
        assert page.page.evaluate("window.Bokeh.documents.length") > 0
    look(page, height=None, views=VIEWS if path.stem.startswith(LOOKED_AT) else VIEWS[:1])
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
