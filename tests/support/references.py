"""Reference pictures: what widgets looked like when somebody last looked at them.

A picture is kept and compared as the means of its blocks, each of some letters' size: another font
moves ink within a block, and changes few of them by much; what covers something else, is missing or
stands elsewhere changes many.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from support.artefacts import ARTEFACTS

FOLDER = Path(__file__).parents[1] / "browser" / "references"
BLOCK = 12
"""Pixels of a block, along each side."""

_FAR = 20  # of 255
_MOST = 0.012  # of the blocks: another font changes 0.006 of Controls, hidden buttons 0.014

Blocks = npt.NDArray[np.uint8]


def blocks_of(png: bytes) -> Blocks:
    """Return the means of a picture's blocks: uint8, of shape (rows, columns, 3)."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    size = (picture.width // BLOCK, picture.height // BLOCK)
    cut = picture.crop((0, 0, size[0] * BLOCK, size[1] * BLOCK))
    return np.asarray(cut.resize(size, Image.Resampling.BOX))


def share_that_differs(one: Blocks, other: Blocks) -> float:
    """Return the share of blocks that differ; 1 where the sizes differ by more than a block."""
    if max(abs(a - b) for a, b in zip(one.shape, other.shape, strict=True)) > 1:
        return 1.0
    rows, columns = (min(one.shape[axis], other.shape[axis]) for axis in (0, 1))
    both = [part[:rows, :columns].astype(int) for part in (one, other)]
    return float((np.abs(both[0] - both[1]).max(axis=2) > _FAR).mean())


def is_alike(one: Blocks, other: Blocks) -> bool:
    """Tell whether two pictures show the same."""
    return share_that_differs(one, other) <= _MOST


def reference(name: str) -> Blocks:
    """Read a reference picture."""
    return np.asarray(Image.open(FOLDER / f"{name}.png").convert("RGB"))


def keep(name: str, png: bytes) -> None:
    """Make a picture the reference of a name."""
    FOLDER.mkdir(exist_ok=True)
    Image.fromarray(blocks_of(png)).save(FOLDER / f"{name}.png", optimize=True)


def leave(name: str, png: bytes) -> Path:
    """Write a picture among the test artefacts, to be looked at."""
    ARTEFACTS.mkdir(exist_ok=True)
    place = ARTEFACTS / f"{name}.png"
    place.write_bytes(png)
    return place
