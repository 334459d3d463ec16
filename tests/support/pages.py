"""The types of the fixtures that open notebooks in a browser and look at them."""

from __future__ import annotations

from collections.abc import Callable

from harness.notebook_page import NotebookPage

OpenNotebook = Callable[..., NotebookPage]
Picture = Callable[..., None]
Look = Callable[..., None]
