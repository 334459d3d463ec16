"""Notebooks of the course: what each needs, and its exercises."""

from __future__ import annotations

from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SOLUTIONS = sorted(NOTEBOOKS.glob("solutions/*.ipynb"))


def needs_kernel(path: Path) -> bool:
    """Tell whether a notebook says that it takes a kernel, and no simulated lab."""
    notebook = nbformat.read(path, as_version=4)
    return bool(notebook.metadata.get("xdplab", {}).get("needs") == "kernel")


def tagged(path: Path, tag: str) -> dict[str, str]:
    """Return the cells that are marked as exercises or solutions, by the exercise's name."""
    cells = nbformat.read(path, as_version=4).cells
    of = {cell.metadata.get("xdplab", {}).get(tag): cell.source for cell in cells}
    return {name: source for name, source in of.items() if name}
