"""What a program is made from: an object file."""

from __future__ import annotations

import stat
from pathlib import Path

from xdplab.core.checks import is_a, place, shown
from xdplab.core.errors import ConfigurationError, KernelError
from xdplab.programs.spec import OBJECT_BYTES


def object_bytes(source: object) -> bytes:
    """Return the bytes of an object file: those given, or those at a path."""
    data = source if is_a(source, bytes) else _read(place("source", source))
    if len(data) > OBJECT_BYTES:
        raise ConfigurationError(f"the object file has more than {OBJECT_BYTES >> 20} MiB.")
    return data


def _read(path: Path) -> bytes:
    try:
        # Another kind of file, such as a pipe, could be waited for without end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigurationError(f"source={shown(str(path))} must be a regular file.")
        with path.open("rb") as file:
            return file.read(OBJECT_BYTES + 1)
    except OSError as error:
        tried = f"read the object file {str(path)!r}"
        remedy = "Give the path of an object file that can be read."
        raise KernelError(tried, error.errno or 0, remedy) from error
