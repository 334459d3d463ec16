"""Jupyter and Chromium for the tests: one of each a run, a kernel a test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.chromium import open_chromium
from harness.jupyter_server import JupyterServer
from harness.notebook_page import PATIENCE_MS, NotebookPage, write_notebook
from playwright.sync_api import Browser, expect
from support.artefacts import ARTEFACTS
from support.forked_kernels import forked_kernels
from support.layout import faults
from support.pages import SUITS_THE_THEME, Look, OpenNotebook, Picture
from support.waiting import eventually

_CELLS_TO_FILL = 8
_VIEWS = ((1440, "light"), (960, "dark"), (600, "light"))

expect.set_options(timeout=PATIENCE_MS)

NOTHING_STICKS_OUT = """() => [...document.querySelectorAll('.jp-OutputArea-output')].every(
    (output) => output.scrollWidth <= output.clientWidth)"""


@contextmanager
def served(folder: Path, application: str, kernels: Path | None = None) -> Iterator[JupyterServer]:
    with pytest.MonkeyPatch.context() as environment:
        if kernels is not None:
            environment.setenv("JUPYTER_PATH", str(kernels))
        server = JupyterServer(folder, application)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with kernels that are forks of one process."""
    with forked_kernels(tmp_path_factory.mktemp("kernels")) as folder:
        yield folder


@pytest.fixture(scope="session")
def jupyter(kernels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Start a JupyterLab whose kernels need not import anything."""
    with served(tmp_path_factory.mktemp("jupyter"), "lab", kernels) as server:
        yield server


@pytest.fixture(scope="session")
def notebook(kernels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Start a Notebook 7 whose kernels need not import anything."""
    with served(tmp_path_factory.mktemp("notebook"), "notebook", kernels) as server:
        yield server


@pytest.fixture(scope="session")
def notebook_as_it_comes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Start a Notebook 7 with kernels as they come, which update pages as often as users' do."""
    with served(tmp_path_factory.mktemp("notebook"), "notebook") as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def pages_to_spare(chromium: Browser) -> list[NotebookPage]:
    """Return pages of JupyterLab, without a notebook, that tests which passed have left."""
    return []


@pytest.fixture(scope="module")
def pages_to_share(jupyter: JupyterServer) -> Iterator[dict[str, NotebookPage]]:
    """Return the pages that tests of a file share, by their notebook's first cell."""
    pages: dict[str, NotebookPage] = {}
    yield pages
    for page in pages.values():
        page.close()
    jupyter.shut_kernels_down()


@pytest.fixture
def kept(
    privileged: None,
    pages_to_share: dict[str, NotebookPage],
    pages_to_spare: list[NotebookPage],
    request: pytest.FixtureRequest,
) -> dict[str, NotebookPage]:
    """Return the pages to share: none for a test that shares none, whose time they would take."""
    if "go_on" not in request.fixturenames:
        for page in pages_to_share.values():
            page.leave()
            pages_to_spare.append(page)
        pages_to_share.clear()
    return pages_to_share


@pytest.fixture
def open_notebook(
    jupyter: JupyterServer,
    chromium: Browser,
    pages_to_spare: list[NotebookPage],
    kept: dict[str, NotebookPage],
    request: pytest.FixtureRequest,
) -> Iterator[OpenNotebook]:
    """Open a new notebook of the cells that it is called with, or the same once more.

    `application` is "lab" or the name of another server's fixture.

    At the end of the test no page may have logged an error or asked for anything that is not local.
    """
    pages: list[NotebookPage] = []
    failed_before = request.session.testsfailed

    def open_(
        *cells: str, theme: str = "light", width: int = 1280, application: str = "lab"
    ) -> NotebookPage:
        server = jupyter if application == "lab" else request.getfixturevalue(application)
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
    used = {*pages, *kept.values()}
    complaints = [complaint for page in used for complaint in page.complaints]
    passed = not complaints and request.session.testsfailed == failed_before
    if not passed:
        kept.clear()
    for page in used - {*kept.values()}:
        if passed and page.server is jupyter and not page.page.is_closed():
            page.leave()
            pages_to_spare.append(page)
        else:
            page.close()
    kernels = [page.kernel() for page in kept.values()]
    for server in {page.server for page in used}:
        server.shut_kernels_down(but=kernels)
    assert complaints == []


@pytest.fixture
def go_on(open_notebook: OpenNotebook, kept: dict[str, NotebookPage]) -> OpenNotebook:
    """Open a notebook and run its first cell, or go on with the one where another test did.

    A test leaves widgets and kernel so that the next can go on; `again` is run to begin it. One
    that fails leaves none.
    """

    def go_on_(first: str, *cells: str, again: str = "") -> NotebookPage:
        if first in kept:
            kept[first].fill(1, again)
            kept[first].run(1)
        else:
            kept[first] = open_notebook(first, *[""] * _CELLS_TO_FILL)
            kept[first].run(0)
        kept[first].fill(1, *cells)
        return kept[first]

    return go_on_


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Picture:
    """Save a screenshot among the test artefacts, under the test's name, if the environment asks.

    A large page takes seconds of a core.
    """

    def save(page: NotebookPage, of: str = "") -> None:
        if "XDPLAB_TEST_PICTURES" not in os.environ:
            return
        ARTEFACTS.mkdir(exist_ok=True)
        page.page.screenshot(path=ARTEFACTS / f"{request.node.name}{of}.png")

    return save


@pytest.fixture
def look(picture: Picture) -> Look:
    """Look at a page, wide and narrow, light and dark: nothing may be covered or cut off.

    Without a height it is all of the notebook.
    """

    def look_at(
        page: NotebookPage,
        height: int | None = 900,
        views: Sequence[tuple[int, str]] = _VIEWS,
    ) -> None:
        page.hide_side_bar()
        for width, theme in views:
            page.change_theme(theme)
            if height is None:
                page.show_all(width)
            else:
                page.page.set_viewport_size({"width": width, "height": height})
                page.scroll_to_active_cell()
            page.wait_until(NOTHING_STICKS_OUT)
            page.wait_until(SUITS_THE_THEME)
            # Figures are laid out anew some time after the page.
            assert eventually(lambda: not faults(page)), faults(page)
            picture(page, f"-{width}-{theme}")

    return look_at
