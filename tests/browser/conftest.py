"""Jupyter and Chromium for the tests: one of each a run, a kernel a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from xdplab.bench.browser.chromium import open_chromium
from xdplab.bench.browser.jupyter_server import JupyterServer
from xdplab.bench.browser.notebook_page import NotebookPage, write_notebook

ARTEFACTS = Path(__file__).resolve().parents[2] / "test-artefacts"

OpenNotebook = Callable[..., NotebookPage]


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


@pytest.fixture
def open_notebook(
    privileged: None, jupyter: JupyterServer, chromium: Browser, request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """Open a new notebook of the cells that it is called with, or the same once more.

    At the end of the test no page may have logged an error or asked for anything that is not local.
    """
    pages: list[NotebookPage] = []

    def open_(
        *cells: str, theme: str = "light", width: int = 1280, application: str = "lab"
    ) -> NotebookPage:
        server = jupyter if application == "lab" else request.getfixturevalue("notebook_7")
        path = server.root / f"{request.node.name}.ipynb"
        if cells:
            write_notebook(path, cells)
        pages.append(NotebookPage(chromium, server, path, theme=theme, width=width))
        return pages[-1]

    yield open_
    complaints = [complaint for page in pages for complaint in page.complaints]
    for page in pages:
        page.close()
    for server in {page.server for page in pages}:
        server.shut_kernels_down()
    assert complaints == []


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[NotebookPage], Path]:
    """Save a screenshot among the test artefacts, under the test's name."""

    def save(page: NotebookPage) -> Path:
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{request.node.name}.png"
        page.page.screenshot(path=path)
        return path

    return save
