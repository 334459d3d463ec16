"""What goes wrong with Jupyter or the browser."""

from __future__ import annotations

from xdplab.core.errors import XdplabError


class BrowserError(XdplabError):
    """There is no Jupyter or no browser to be had here, or it did not do as it was told."""
