"""Files that are written whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from xdplab.errors import ConfigurationError, KernelError

_REMEDIES = {
    errno.ENOSPC: "Make room, or choose another folder.",
    errno.EDQUOT: "Make room, or choose another folder.",
    errno.ENOENT: "Make the folder first, or choose another.",
    errno.ENOTDIR: "Choose a folder that is one.",
}
_REMEDY = "Choose a file in a folder that you may write to."


class Saved(NamedTuple):
    """What was saved, and where."""

    path: Path
    """Absolute."""
    rows: int
    what: str
    """What the rows are: "frames", "records"."""

    def __str__(self) -> str:
        what = self.what.removesuffix("s") if self.rows == 1 else self.what
        return f"{self.rows:,} {what} in {self.path}"


def place_of(path: str | os.PathLike[str]) -> Path:
    """Return where a file of this name goes, ``~`` and links followed.

    Raises
    ------
    ConfigurationError
        For what is there and no plain file: a folder, a device.
    """
    place = Path(os.path.realpath(Path(path).expanduser()))
    if place.exists() and not place.is_file():
        raise ConfigurationError(f"{place} is no plain file. Give the name of one, or a new name.")
    return place


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write a file that takes its name, and the place of an older one, once it is complete.

    Parameters
    ----------
    path
        As `place_of` takes it.

    Raises
    ------
    ConfigurationError
        For what is no plain file.
    KernelError
        When the file can't be written: a full disk, no such folder, no permission. Nothing
        half-written is left, and an older file of that name is as it was.
    """
    place = place_of(path)
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    except OSError as error:
        code = error.errno or errno.EIO
        raise KernelError(f"write {place}", code, _REMEDIES.get(code, _REMEDY)) from error
    finally:
        with suppress(OSError):  # it is gone, or never was
            draft.unlink()
