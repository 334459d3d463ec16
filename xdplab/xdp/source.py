"""What a program is made from: C, or an object file."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import NamedTuple

from xdplab.core.checks import is_a, place, shown, text
from xdplab.core.errors import ConfigurationError, KernelError
from xdplab.programs.spec import OBJECT_BYTES
from xdplab.xdp.compiling import compile_file, compile_text
from xdplab.xdp.gallery import GalleryProgram


class ProgramObject(NamedTuple):
    """An object file, and how it came to be."""

    data: bytes
    said: str = ""
    """The compiler's warnings."""
    text: str = ""
    """The C that it was compiled from, where that is known."""


def object_of(source: object) -> ProgramObject:
    """Return the object file of a program.

    Parameters
    ----------
    source
        Bytes of an object file, a path to one, a path to a file with C (``.c``), C itself (text of
        more than one line), or what this returned.
    """
    if is_a(source, ProgramObject):
        return source
    if is_a(source, bytes):
        return _bounded(source)
    if is_a(source, str) and "\n" in str.__str__(source):
        return object_of_text(text("source", source), "program.c")
    path = place("source", source)
    data = _read(path)
    if path.suffix == ".c":
        return ProgramObject(*compile_file(path), data.decode(errors="replace"))
    made = _bounded(data)
    return made._replace(text=source.source) if is_a(source, GalleryProgram) else made


def object_of_text(source: str, file: str) -> ProgramObject:
    """Compile C that is in no file, with a name for one in the compiler's words."""
    return ProgramObject(*compile_text(source, file), source)


def _bounded(data: bytes) -> ProgramObject:
    if len(data) > OBJECT_BYTES:
        raise ConfigurationError(f"the object file has more than {OBJECT_BYTES >> 20} MiB.")
    return ProgramObject(data)


def _read(path: Path) -> bytes:
    what = "source" if path.suffix == ".c" else "object"
    try:
        # Another kind of file, such as a pipe, could be waited for without end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigurationError(f"source={shown(str(path))} must be a regular file.")
        with path.open("rb") as file:
            return file.read(OBJECT_BYTES + 1)
    except OSError as error:
        tried = f"read the {what} file {str(path)!r}"
        remedy = "Give the path of a file of C, or of an object file, that can be read."
        raise KernelError(tried, error.errno or 0, remedy) from error
