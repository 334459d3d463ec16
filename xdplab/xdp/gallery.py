"""XDP programs that come with the package: to be used, read, and begun from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from xdplab.core.named import Named
from xdplab.core.table import Table, Tabled
from xdplab.native.objects import program_path

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_NAMES = (
    *("pass", "drop", "count", "reflect", "sample", "filter"),
    *("router", "policy", "overlay", "sharder", "balancer", "decapsulate"),
)
_ABOUT = re.compile(r"^ \*\n \* (.+?\.)(?:\s|$)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, repr=False)
class GalleryProgram(os.PathLike[str]):
    """A program of the gallery: the path of its object file, for `Program`."""

    name: str

    @property
    def about(self) -> str:
        """What it does, in a sentence: the first of its source."""
        found = _ABOUT.search(self.source)
        return " ".join(found[1].replace("\n *", " ").split()) if found else ""

    @property
    def source(self) -> str:
        """Its source in C. ``%%xdp`` and `Program` take it, too, as a beginning for another."""
        return _place(f"{self.name}.bpf.c").read_text()

    def __fspath__(self) -> str:
        return os.fsdecode(program_path(f"gallery_{self.name}"))

    def __repr__(self) -> str:
        return f"<GalleryProgram {self.name}: {self.about}>"


class Gallery(Tabled, Named[GalleryProgram]):
    """Programs by name."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__("program of the gallery", {name: GalleryProgram(name) for name in names})

    def _table(self) -> Table:
        rows = [(each.name, each.about) for each in self.values()]
        return Table("XDP programs", rows, ("name", "what it does"))

    def _brief(self) -> str:
        return f"<Gallery: {', '.join(self)}>"


GALLERY = Gallery(_NAMES)
"""Programs that come with the package: ``Program(GALLERY["count"], lab.port)``."""


def headers_folder() -> str:
    """Return the folder for ``#include "gallery/headers.bpf.h"``."""
    with as_file(_place("headers.bpf.h")) as path:
        return str(path.parent.parent)


def _place(name: str) -> Traversable:
    return files("xdplab") / "bpf" / "gallery" / name
