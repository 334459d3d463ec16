"""The lessons, as their notebooks tell of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from xdplab.core.errors import ConfigurationError

SOLUTIONS = "solutions"
"""The folder of the solutions, beside the lessons."""


@dataclass(frozen=True)
class Lesson:
    """A lesson."""

    name: str
    """The name of its file: "01-first-packets.ipynb"."""
    title: str
    minutes: int
    """How long it takes, with its exercises."""
    exercises: tuple[str, ...]
    """Their names: "01.1"."""
    needs_kernel: bool
    """Whether it takes a kernel, and no simulated lab."""

    @property
    def number(self) -> str:
        """Its number, "01"."""
        return self.name[:2]


def lessons() -> list[Lesson]:
    """Return all lessons, in their order."""
    return [_lesson(name, path) for name, path in notebooks() if "/" not in name]


def lesson(wanted: str) -> Lesson:
    """Return the lesson of a number, "3" or "03", or of a name.

    Raises
    ------
    ConfigurationError
        When there is none; the message lists them.
    """
    every = lessons()
    for each in every:
        if wanted.zfill(2) == each.number or wanted in (each.name, Path(each.name).stem):
            return each
    known = ", ".join(each.number for each in every)
    raise ConfigurationError(f"there is no lesson {wanted!r}. There are: {known}.")


def notebooks() -> list[tuple[str, Path]]:
    """Return lessons and solutions: each one's place among the reader's copies, and its file."""
    return sorted(_notebooks())


def _notebooks() -> Iterator[tuple[str, Path]]:
    root = files("xdplab") / "notebooks"
    for folder, prefix in ((root, ""), (root / SOLUTIONS, f"{SOLUTIONS}/")):
        for each in folder.iterdir():
            if each.name.endswith(".ipynb"):
                yield f"{prefix}{each.name}", Path(str(each))


def source_tree() -> Path | None:
    """Return the source tree, where the package is run from one."""
    for _name, path in notebooks():
        tree = path.parents[1]
        return tree if (tree / "pyproject.toml").exists() else None
    return None


def _lesson(name: str, path: Path) -> Lesson:
    notebook = json.loads(path.read_text())
    about: dict[str, Any] = notebook["metadata"].get("xdplab", {})
    cells: list[dict[str, Any]] = notebook["cells"]
    heading = "".join(cells[0]["source"]).splitlines()[0]
    return Lesson(
        name,
        heading.lstrip("# ").split(". ", 1)[-1],
        int(about["minutes"]),
        tuple(
            cell["metadata"]["xdplab"]["exercise"]
            for cell in cells
            if "exercise" in cell["metadata"].get("xdplab", {})
        ),
        about.get("needs") == "kernel",
    )
