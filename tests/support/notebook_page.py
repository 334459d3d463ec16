"""The page, which the benchmark `widgets` uses as well, and what fixtures do with it."""

from __future__ import annotations

from collections.abc import Callable

from xdplab.bench.browser.notebook_page import NotebookPage, write_notebook

__all__ = ["Look", "NotebookPage", "OpenNotebook", "Picture", "write_notebook"]

OpenNotebook = Callable[..., NotebookPage]
Picture = Callable[..., None]
Look = Callable[..., None]
