"""The widget of an XDP program in JupyterLab: its packets' ways, maps, source, and menu."""

from __future__ import annotations

import pytest
from harness.notebook_page import NotebookPage
from playwright.sync_api import expect
from support.pages import Look, OpenNotebook

pytestmark = pytest.mark.kernel

MADE = """
from xdplab import GALLERY, Lab, Program, Traffic
from xdplab.widgets import ProgramView
lab = Lab()
program = Program(GALLERY["count"], lab.port)
link = program.attach()
traffic = Traffic(lab.peer, lab.port, rate=500, seconds=600).start();
"""

SHOWN = """
view = ProgramView(link)
view
"""

GOES = """(way) => (window.Bokeh?.documents ?? []).some((document) =>
    [...document.roots()[0].references()].some(({name, data}) => name === 'words'
        && Array.from(data.text ?? []).some((text) => text.startsWith(way)
            && !/^\\D*0\\n/.test(text))))"""


def wait_for_way(page: NotebookPage, way: str) -> None:
    """Wait until packets went a way."""
    page.wait_until(GOES, arg=way)


def test_its_packets_are_seen_and_another_program_takes_its_place_by_the_menu(
    open_notebook: OpenNotebook, look: Look
) -> None:
    page = open_notebook(MADE, SHOWN, "print(link.program.name)")
    page.run(0)
    page.run(1)
    outputs = page.page.locator(".jp-OutputArea-output")
    expect(outputs.filter(has_text="count on port0")).to_have_count(1)
    expect(outputs.locator("table").filter(has_text="2048")).to_be_visible()
    expect(outputs.locator("pre").filter(has_text="SEC(")).to_be_visible()
    wait_for_way(page, "to the stack: ")
    look(page)
    menu = page.page.locator(".widget-dropdown select")
    menu.select_option("drop")
    wait_for_way(page, "dropped: ")
    expect(outputs.filter(has_text="drop on port0")).to_have_count(1)
    assert page.run(2).strip() == "drop"
