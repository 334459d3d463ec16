"""JupyterLab and Chromium for the tests: one of each a run, a kernel a test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_server import JupyterServer
from notebook_page import NotebookPage, write_notebook
from playwright.sync_api import Browser, sync_playwright

ARTEFACTS = Path(__file__).resolve().parents[2] / "test-artefacts"

# All that Chromium would do on its own account beyond the machine is switched off.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenNotebook = Callable[..., NotebookPage]


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    server = JupyterServer(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            # The distribution's where there is one, else the one that Playwright brought.
            executable_path=shutil.which("chromium"),
            args=CHROMIUM_OPTIONS,
        )
        yield browser
        browser.close()


@pytest.fixture
def open_notebook(
    privileged: None, jupyter: JupyterServer, chromium: Browser, request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """Open a new notebook of the cells that it is called with, or the same once more.

    At the end of the test no page may have logged an error or asked for anything that is not local.
    """
    pages: list[NotebookPage] = []
    path = jupyter.root / f"{request.node.name}.ipynb"

    def open_(*cells: str, theme: str = "light", width: int = 1280) -> NotebookPage:
        if cells:
            write_notebook(path, list(cells))
        pages.append(NotebookPage(chromium, jupyter, path, theme, width))
        return pages[-1]

    yield open_
    complaints = [complaint for page in pages for complaint in page.complaints]
    for page in pages:
        page.close()
    jupyter.shut_kernels_down()
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
