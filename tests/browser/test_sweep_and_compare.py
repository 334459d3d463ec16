"""Sweep and Compare in JupyterLab: they run, a click applies a cell, a reload brings all back."""

from __future__ import annotations

import re
from typing import Any

from harness.notebook_page import NotebookPage
from playwright.sync_api import expect
from support.live_rows import SOURCES
from support.pages import Look, OpenNotebook

SWEEP = """
from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Sweep
lab = Lab()
engine = Engine(lab.port, inspect=True).start()
traffic = Traffic(lab.peer, lab.port, rate=20_000)
sweep = Sweep(engine, traffic, seconds=0.1, batch=[16, 64, 256, 3000],
              wait=["poll", "uring-multishot", "adaptive"])
sweep
"""


def sources(page: NotebookPage) -> dict[str, dict[str, list[Any]]]:
    (figure,) = page.page.evaluate(SOURCES)
    return dict(figure)


def wait_for_source(page: NotebookPage, condition: str) -> None:
    """Wait until a condition on `sources`, those of the one live figure, holds."""
    page.wait_until(
        f"() => {{ const sources = ({SOURCES})()[0]; return sources && ({condition}); }}"
    )


def press(page: NotebookPage, words: str) -> None:
    page.page.locator(".widget-button", has_text=re.compile(f"^\\s*{words}$")).click()


def test_a_sweep_fills_its_map_and_a_click_applies_a_cell(
    open_notebook: OpenNotebook, look: Look
) -> None:
    page = open_notebook(SWEEP, "print(engine.batch, engine.wait)")
    page.run(0)
    page.hide_side_bar()
    wait_for_source(page, "sources.cells.x.length === 12")
    press(page, "Run")
    wait_for_source(page, "sources.cells.text.every((text) => text !== '')")
    cells = sources(page)["cells"]
    assert cells["text"].count("refused") == 3  # a batch larger than the ring
    assert page.run(1).split() == ["64", "poll"]

    row = cells["combination"].index("2")  # batch 16, adaptive
    where = page.page.evaluate(
        """([x, y]) => {
            const [view] = Object.values(window.Bokeh.index)[0].child_views ?? [];
            const plot = view?.frame ? view : Object.values(window.Bokeh.index)[0];
            const {left, top} = plot.el.getBoundingClientRect();
            return [left + plot.frame.x_scale.compute(x), top + plot.frame.y_scale.compute(y)];
        }""",
        [cells["x"][row], cells["y"][row]],
    )
    page.page.mouse.move(*where)
    expect(page.page.get_by_text("batch 16, wait adaptive").first).to_be_visible()
    page.page.mouse.click(*where)
    expect(page.page.get_by_text("Applied: batch 16, wait adaptive")).to_be_visible()
    assert page.run(1).split() == ["16", "adaptive"]

    page.save()
    page.reload()
    wait_for_source(page, "sources.cells.x.length === 12")
    assert sources(page)["cells"] == cells
    expect(page.page.get_by_text("12 of 12 runs")).to_be_visible()
    look(page)


COMPARE = """
from xdplab import Lab
from xdplab.widgets import Compare
lab = Lab()
compare = Compare(lab, ["xsk poll", "xsk uring-multishot", "xsk adaptive",
                        ("xsk", {"ring_size": 1000})],
                  rate=20_000, seconds=0.4, rounds=2, inspect=True)
compare
"""


def test_a_comparison_grows_in_a_narrow_dark_page_and_comes_back(
    open_notebook: OpenNotebook, look: Look
) -> None:
    page = open_notebook(COMPARE, "print(*compare.results['status'])", theme="dark", width=900)
    page.run(0)
    page.hide_side_bar()
    wait_for_source(page, "sources['heads 0'].text.length === 3")
    press(page, "Run")
    wait_for_source(page, "sources['line 0'].pps.length > 0")
    expect(page.page.get_by_text("8 of 8 runs")).to_be_visible()
    wait_for_source(page, "sources['spread 0'].y.length > 0")
    drawn = sources(page)
    assert drawn["words 0"]["text"].count("refused") == 1
    assert min(drawn["bars 0"]["alpha"]) > 0.5
    assert page.run(1).split() == ["measured", "measured", "measured", "refused"]
    expect(page.page.get_by_text("must be a power of two")).to_be_visible()
    page.page.locator(".jp-OutputArea-output").first.evaluate("area => area.scrollIntoView()")
    look(page)
    # Nothing sticks out at the right.
    assert page.page.evaluate(
        """() => {
            const area = document.querySelector('.jp-OutputArea-output');
            return area.scrollWidth <= area.clientWidth;
        }"""
    )
    page.save()
    page.reload()
    wait_for_source(page, "sources['spread 0'].y.length > 0")
    again = sources(page)
    assert {name: again[name] for name in drawn} == drawn
