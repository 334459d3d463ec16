"""What the dashboard's plots show: ranges, pause, hover, several engines and workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from live_rows import CAPTURE, rows, wait_for_rows, window
from notebook_page import NotebookPage

OpenNotebook = Callable[..., NotebookPage]

TWO_ENGINES = """
import time
from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Dashboard
labs = [Lab(), Lab()]
engines = [Engine(labs[0].port).start(), Engine(labs[1].port, wait="adaptive").start()]
traffic = [
    Traffic(lab.peer, lab.port, rate=rate).start()
    for lab, rate in zip(labs, (4_000, 2_000))
]
Dashboard(engines)
"""

TURNED = """
time.sleep(1.5)
engine.batch = 256
time.sleep(1)
engine.wait = "adaptive"
time.sleep(2)
traffic.rate = 30_000
time.sleep(2)
"""

PLOT = "() => window.Bokeh.documents[0].roots()[0].children[%d][0]"


def hover(page: NotebookPage, plot: int, share: float) -> None:
    """Move the mouse into a plot, so far to the right."""
    box = page.page.locator(".bk-Canvas").nth(plot).bounding_box()
    assert box is not None
    page.page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.7 * box["height"])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [900, 1280])
@pytest.mark.parametrize("engines", ["one", "two"])
def test_dashboard_looks(
    open_notebook: OpenNotebook,
    picture: Callable[[NotebookPage], Path],
    theme: str,
    width: int,
    engines: str,
) -> None:
    first = {"one": CAPTURE.replace("(engine)\n", "(engine, traffic)\n"), "two": TWO_ENGINES}
    page = open_notebook(first[engines], TURNED, theme=theme, width=width)
    page.run(0)
    wait_for_rows(page, 10)
    page.page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    if engines == "one":
        page.run(1)
    wait_for_rows(page, 50)
    page.page.evaluate("document.querySelector('.jp-OutputArea-output').scrollIntoView()")
    hover(page, 0, 0.9)
    time.sleep(1)
    assert picture(page).stat().st_size > 0
    # Nothing sticks out at the right.
    assert page.page.evaluate(
        "document.querySelector('.jp-OutputArea-output').scrollWidth"
        " <= document.querySelector('.jp-OutputArea-output').clientWidth"
    )
