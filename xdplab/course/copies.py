"""The reader's own copies of the lessons. What the reader changed is never overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from xdplab.core.errors import ConfigurationError
from xdplab.course.lessons import notebooks, source_tree

VARIABLE = "XDPLAB_COURSE"
"""The environment variable that names the folder."""

GIVEN = ".as-given"
"""Each notebook as it was copied last, to tell what the reader changed."""


def folder() -> Path:
    """Return the folder of the copies, whether there are any or not.

    It is what `VARIABLE` names; else course/ of the source tree, where the package is run from one
    that can be written; else ~/xdplab-course.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named).absolute()
    tree = source_tree()
    if tree is not None and os.access(tree, os.W_OK):
        return tree / "course"
    return Path.home() / "xdplab-course"


def copy() -> tuple[Path, list[str]]:
    """Copy what the reader has not, or has unchanged of an earlier version.

    Returns
    -------
    tuple
        The folder, and what the reader is to be told: which notebooks were updated, and which have
        a newer version that is beside the reader's own.

    Raises
    ------
    ConfigurationError
        When the folder can't be written.
    """
    place = folder()
    try:
        return place, [said for each in notebooks() if (said := _copy(each, place))]
    except OSError as error:
        raise ConfigurationError(
            f"the lessons can't be copied to {place}: {error.strerror}. Name another folder: "
            f"{VARIABLE}=~/lessons."
        ) from error


def _copy(notebook: tuple[str, Path], place: Path) -> str:
    """Copy one notebook; return what the reader is to be told, or ""."""
    name, given = notebook
    mine, as_given = place / name, place / GIVEN / name
    newest, mine_now, earlier = given.read_bytes(), _read(mine), _read(as_given)
    said = ""
    if mine_now is None:
        _write(mine, newest)
    elif newest in (earlier, mine_now):
        pass  # the copy is of this version
    elif mine_now == earlier:
        _write(mine, newest)
        said = f"{name} was updated to its newer version"
    else:
        beside = next(each for each in _beside(mine) if not each.exists())
        _write(beside, newest)
        said = f"{name} has a newer version: it is {beside.name}. Yours stays as it is."
    if newest != earlier:
        _write(as_given, newest)
    return said


def _beside(mine: Path) -> Iterator[Path]:
    number = 2
    while True:
        yield mine.with_name(f"{mine.stem}-{number}{mine.suffix}")
        number += 1


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, contents: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)
