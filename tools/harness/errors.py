"""Errors of Jupyter or the browser."""

from __future__ import annotations

from xdplab.core.errors import XdplabError


class BrowserError(XdplabError):
    """Jupyter or the browser is missing or did not do what was asked."""
