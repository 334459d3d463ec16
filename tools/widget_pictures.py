"""Make the pictures of docs/widgets/: of each page's example, in JupyterLab.

PYTHONPATH=tests .venv/bin/python tools/widget_pictures.py [NAME ...], as root

Look at each picture before it is committed. NAME is a page's, such as "dashboard".
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.chromium import open_chromium
from harness.jupyter_server import JupyterServer
from harness.notebook_page import NotebookPage, write_notebook
from PIL import Image
from support.documents import examples

from xdplab import Lab
from xdplab.bench.temporary_folder import temporary_folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = Path(__file__).parents[1] / "docs" / "widgets"
_WIDGET = ".jp-OutputArea-output:has(.jupyter-widgets, .xdplab-live)"
_SECONDS = 12  # in which packets flow until the picture is taken
_COLOURS = 64


def picture(browser: Browser, server: JupyterServer, page: Path) -> bytes:
    """Run a page's example in a notebook; return a PNG of its widget."""
    (example,) = examples(page.read_text())
    path = write_notebook(server.root / f"{page.stem}.ipynb", [example])
    notebook = NotebookPage(browser, server, path)
    notebook.hide_side_bar()
    notebook.page.set_viewport_size({"width": 1100, "height": 1800})  # the tallest widget fits
    notebook.run(0)
    notebook.scroll_to_active_cell()
    widget = notebook.page.locator(_WIDGET).first
    if page.stem == "livepage":  # which is not in the notebook
        link = notebook.page.locator(".jp-OutputArea-output a").get_attribute("href")
        notebook.page.goto(link or "")
        widget = notebook.page.locator("body")
    widget.wait_for()
    time.sleep(_SECONDS)
    png = widget.screenshot()
    notebook.close()
    server.shut_kernels_down()
    return png


def write(png: bytes, path: Path) -> None:
    """Write a picture with few colours, which makes it a third as large."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def take(pages: list[Path]) -> None:
    """Make the pictures of these pages."""
    with temporary_folder("xdplab-") as folder, open_chromium() as browser:
        server = JupyterServer(folder)
        try:
            for page in pages:
                write(picture(browser, server, page), page.with_suffix(".png"))
                print(page.with_suffix(".png"))
        finally:
            server.shut_kernels_down()
            server.stop()


def main(names: list[str]) -> None:
    """Make the pictures of these pages, or of all."""
    pages = [page for page in sorted(PAGES.glob("*.md")) if not names or page.stem in names]
    with Lab() as lab:
        # Jupyter runs where the only interfaces are a lab's, and the doctor tells of no others.
        lab.port.interface.namespace.run(take, pages)


if __name__ == "__main__":
    main(sys.argv[1:])
