"""Jupyter and Chromium for the tests: one of each a run, a kernel a test."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from harness.chromium import open_chromium
from harness.jupyter_server import JupyterServer
from harness.notebook_page import NotebookPage, write_notebook
from playwright.sync_api import Browser
from support.artefacts import ARTEFACTS
from support.pages import Look, OpenNotebook, Picture

NOTHING_STICKS_OUT = """() => [...document.querySelectorAll('.jp-OutputArea-output')].every(
    (output) => output.scrollWidth <= output.clientWidth)"""

# The figures have the ink of the page's theme.
SUITS_THE_THEME = """() => {
    const live = document.querySelector('.xdplab-live');
    const ink = live && getComputedStyle(live).color;
    const dressed = ({properties, tags, major_label_text_color: color}) =>
        !properties?.major_label_text_color || color === null || tags?.includes('keep-ink')
        || color === ink;
    return (window.Bokeh?.documents ?? []).flatMap((document) => document.roots()).every(
        (root) => [...root.references()].every(dressed));
}"""


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    server = JupyterServer(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def notebook_7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    server = JupyterServer(tmp_path_factory.mktemp("notebook"), "notebook")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def pages_to_spare(chromium: Browser) -> list[NotebookPage]:
    """Return pages of JupyterLab, without a notebook, that tests which passed have left."""
    return []


@pytest.fixture
def open_notebook(
    privileged: None,
    jupyter: JupyterServer,
    chromium: Browser,
    pages_to_spare: list[NotebookPage],
    request: pytest.FixtureRequest,
) -> Iterator[OpenNotebook]:
    """Open a new notebook of the cells that it is called with, or the same once more.

    At the end of the test no page may have logged an error or asked for anything that is not local.
    """
    pages: list[NotebookPage] = []
    failed_before = request.session.testsfailed

    def open_(
        *cells: str, theme: str = "light", width: int = 1280, application: str = "lab"
    ) -> NotebookPage:
        server = jupyter if application == "lab" else request.getfixturevalue("notebook_7")
        path = server.root / f"{request.node.name}.ipynb"
        if cells:
            write_notebook(path, cells)
        if server is jupyter and pages_to_spare:
            pages.append(pages_to_spare.pop())
            pages[-1].show(path, theme=theme, width=width)
        else:
            pages.append(NotebookPage(chromium, server, path, theme=theme, width=width))
        return pages[-1]

    yield open_
    complaints = [complaint for page in pages for complaint in page.complaints]
    passed = not complaints and request.session.testsfailed == failed_before
    for page in pages:
        if passed and page.server is jupyter and not page.page.is_closed():
            page.leave()
            pages_to_spare.append(page)
        else:
            page.close()
    for server in {page.server for page in pages}:
        server.shut_kernels_down()
    assert complaints == []


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Picture:
    """Save a screenshot among the test artefacts, under the test's name."""

    def save(page: NotebookPage, of: str = "") -> None:
        ARTEFACTS.mkdir(exist_ok=True)
        page.page.screenshot(path=ARTEFACTS / f"{request.node.name}{of}.png")

    return save


@pytest.fixture
def look(picture: Picture) -> Look:
    """Look at a page, wide and light, narrow and dark: nothing may stick out at the right."""

    def look_at(page: NotebookPage, height: int = 900) -> None:
        page.hide_side_bar()
        for width, theme in ((1280, "light"), (900, "dark")):
            page.page.set_viewport_size({"width": width, "height": height})
            page.change_theme(theme)
            page.page.wait_for_function(NOTHING_STICKS_OUT)
            page.page.wait_for_function(SUITS_THE_THEME)
            time.sleep(1)  # until figures are drawn anew
            picture(page, f"-{width}-{theme}")

    return look_at
