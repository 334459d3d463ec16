"""Notebooks of the course: what each needs."""

from __future__ import annotations

from pathlib import Path

import nbformat


def needs_kernel(path: Path) -> bool:
    """Tell whether a notebook says that it takes a kernel, and no simulated lab."""
    notebook = nbformat.read(path, as_version=4)
    return bool(notebook.metadata.get("xdplab", {}).get("needs") == "kernel")
