"""Chromium without a window, controlled by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BrowserError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Debian's Chromium without the part that has windows, whose own pages cost an eighth of the time of
# a browser test.
_COMMAND = "chromium-headless-shell"

# Switches off everything that Chromium would send over the network by itself.
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing() -> str | None:
    """Return what to install to get a browser; None if there is one."""
    if find_spec("playwright") is None or find_spec("jupyterlab") is None:
        return "pip install 'xdplab[notebook]' playwright"
    if shutil.which(_COMMAND):
        return None
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - slow to import

    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).exists():
            return None
    return f"apt-get install {_COMMAND}, or: playwright install --with-deps chromium"


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Open the distribution's Chromium if there is one, else the one from Playwright.

    Raises
    ------
    BrowserError
        When it does not start.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - slow to import

    with sync_playwright() as playwright:
        with reported():
            browser = playwright.chromium.launch(
                executable_path=shutil.which(_COMMAND), args=_OPTIONS
            )
        yield browser
        browser.close()


@contextmanager
def reported() -> Iterator[None]:
    """Raise errors of a page, such as a timeout, as a `BrowserError`."""
    from playwright.sync_api import Error  # noqa: PLC0415 - slow to import

    try:
        yield
    except Error as error:
        raise BrowserError(f"the browser did not do as it was told: {error.message}") from error
