"""Files that are written whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from xdplab.core import checks
from xdplab.core.errors import ConfigurationError, KernelError, XdplabError

_REMEDIES = {
    errno.ENOSPC: "Make room, or choose another folder.",
    errno.EDQUOT: "Make room, or choose another folder.",
    errno.ENOENT: "Make the folder first, or choose another.",
    errno.ENOTDIR: "A part of the path is no folder: choose another path.",
    errno.ENAMETOOLONG: "Choose a shorter name: 255 bytes at most, and 4,095 with its folders.",
    errno.ELOOP: "Choose another name: this is a link that leads back to itself.",
    errno.EROFS: "Choose a folder on a disk that can be written to.",
    errno.EFBIG: "Raise the limit on the size of files: `ulimit -f unlimited`.",
    errno.EMFILE: "Close what holds descriptors, or raise `ulimit -n`.",
    errno.ENFILE: "Close what holds descriptors, or raise `sysctl fs.file-max`.",
}
_REMEDY = "Choose a file in a folder that you may write to."


REPLACED = ", in place of an older file"
"""Told after the place of a file."""


class Saved(NamedTuple):
    """What was saved, and where."""

    path: Path
    """Absolute path."""
    rows: int
    what: str
    """The name of its rows: "frames", "records"."""
    replaced: bool = False
    """Whether there was an older file of this name."""

    def __str__(self) -> str:
        what = self.what.removesuffix("s") if self.rows == 1 else self.what
        return f"{self.rows:,} {what} in {self.path}{REPLACED if self.replaced else ''}"


def place_of(path: str | os.PathLike[str]) -> Path:
    """Return where a file of this name goes, ``~`` and links followed.

    Raises
    ------
    ConfigurationError
        When there is something other than a regular file, such as a folder or a device, or the
        value is no path.
    KernelError
        When it can't be looked up: too long a name, a folder that must not be entered.
    """
    given = checks.place("path", path)
    try:
        place = Path(os.path.realpath(given.expanduser()))
        is_other = place.exists() and not place.is_file()
    except RuntimeError:  # raised for `~name` when there is no such user
        raise ConfigurationError(
            f"path={checks.shown(path)} begins with the home of a user that is not known here. "
            "Write the whole folder; for a file whose name begins with ~, begin with `./~`."
        ) from None
    except OSError as error:
        raise refused(given, error) from error
    if is_other:
        raise ConfigurationError(
            f"{place} is no regular file. Give the name of one, or a new name."
        )
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
        When the place is taken by something other than a regular file.
    KernelError
        When the file can't be written: a full disk, no such folder, no permission, a limit on its
        size. Nothing half-written is left, and an older file of that name is as it was.
    """
    place = place_of(path)
    # Short, so that it is not too long where the final name is not.
    draft = place.with_name(f".xdplab.{secrets.token_hex(8)}")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    except XdplabError:  # raised by the block, about the contents
        raise
    except OSError as error:
        raise refused(place, error) from error
    finally:
        with suppress(OSError):  # it is gone, or never was
            draft.unlink()


def refused(place: Path, error: OSError) -> KernelError:
    """Return the error of a file that can't be written, with what helps."""
    code = error.errno or errno.EIO
    return KernelError(f"write {place}", code, _REMEDIES.get(code, _REMEDY))
