"""Static pictures in a browser: out of sight beside the figure that lives, in sight without it."""

from __future__ import annotations

import json
import time

import pytest
from harness.notebook_page import NotebookPage
from playwright.sync_api import Locator
from support.pages import OpenNotebook, Picture

CAPTURE = """
from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Dashboard
lab = Lab()
engine = Engine(lab.port).start()
traffic = Traffic(lab.peer, lab.port, rate=500).start()
Dashboard(engine)
"""
WAIT = "import time; time.sleep(1)"

applications = pytest.mark.parametrize("application", ["lab", "notebook"])


def picture_of(page: NotebookPage) -> Locator:
    return page.page.locator("img[src^='data:image/png;base64,']")


def wait_until_it_lives(page: NotebookPage) -> None:
    page.page.locator(".xdplab-live").first.wait_for()


def holds_a_picture_and_nothing_that_lives(page: NotebookPage) -> None:
    saved = page.path.read_text()
    notebook = json.loads(saved)
    widget, image = notebook["cells"][0]["outputs"]
    assert widget["data"]["text/plain"][0].startswith("<Dashboard: port0 queue 0, running")
    assert 1_000 < len(image["data"]["image/png"]) < 60_000
    assert len(saved) - len(image["data"]["image/png"]) < 5_000
    assert "widgets" not in notebook["metadata"]
    assert "Bokeh" not in saved


@applications
def test_only_the_figure_that_lives_is_seen_and_its_view_is_never_made_anew(
    open_notebook: OpenNotebook, application: str
) -> None:
    page = open_notebook(CAPTURE, WAIT, application=application)
    page.run(0)
    wait_until_it_lives(page)
    picture_of(page).wait_for(state="attached")
    assert not picture_of(page).is_visible()
    page.page.evaluate("document.querySelector('.xdplab-live').known = true")
    before = picture_of(page).get_attribute("src")
    deadline = time.monotonic() + 60
    while picture_of(page).get_attribute("src") == before:
        assert time.monotonic() < deadline
        page.run(1)
    assert not picture_of(page).is_visible()
    assert page.page.evaluate("document.querySelector('.xdplab-live').known")


@applications
def test_a_saved_notebook_holds_a_picture_and_nothing_that_lives_and_shows_it_without_its_kernel(
    open_notebook: OpenNotebook,
    picture: Picture,
    application: str,
) -> None:
    page = open_notebook(CAPTURE, WAIT, application=application)
    page.run(0)
    wait_until_it_lives(page)
    page.run(1)
    page.save()
    holds_a_picture_and_nothing_that_lives(page)
    page.close()
    page.server.shut_kernels_down()
    page = open_notebook(application=application)
    picture_of(page).wait_for(state="visible")
    picture(page)
    page.close()
    # JupyterLab logs that it has no model for the view.
    page.complaints[:] = [text for text in page.complaints if "model not found" not in text]
