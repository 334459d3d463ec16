"""Check that clients can't write the broker's own code.

A user who can write code that root runs is root. So the broker runs only from an install that
belongs to root and that nobody else can write: its interpreter and its configuration (pyvenv.cfg,
*.pth), the commands beside it, every folder that Python imports from with its files, the packages
that it imports, and every file that is mapped into the process. A link is checked with its target,
and a file with all folders above it.
"""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from xdplab.core.errors import XdplabError

_HOW = (
    "Install it where nobody but root can write, and start it from there:\n"
    "  sudo python3 -m venv /opt/xdplab\n"
    "  sudo /opt/xdplab/bin/pip install .\n"
    "  sudo /opt/xdplab/bin/xdplab broker --group $(id -gn)"
)


class UntrustedInstallError(XdplabError):
    """The broker was started from code that users other than root can write."""


def check_install(needed: Collection[str]) -> None:
    """Check all files that this process runs, or may run later.

    Parameters
    ----------
    needed
        Names of modules that it will import.

    Raises
    ------
    UntrustedInstallError
        When root is not the only one who can write it.
    """
    if any(type(finder).__module__.startswith("_xdplab_editable") for finder in sys.meta_path):
        raise UntrustedInstallError(
            f"this install is an editable one: it runs whatever the source tree holds. {_HOW}"
        )
    if not sys.flags.isolated:
        raise UntrustedInstallError("the interpreter must run isolated (python -I).")
    checked = set[Path]()
    for place in _places(needed):
        if (reason := _writable(place, checked)) is not None:
            raise UntrustedInstallError(f"{reason}, and the broker's code is there. {_HOW}")


def _places(needed: Iterable[str]) -> Iterator[Path]:
    interpreter = Path(sys.executable)
    yield interpreter
    # The commands that start it are for root, too; and Python looks for pyvenv.cfg here.
    yield from interpreter.parent.iterdir()
    yield from (folder / "pyvenv.cfg" for folder in (interpreter.parent, Path(sys.prefix)))
    for folder in map(Path, filter(None, sys.path)):
        yield folder
        # A module that is imported by and by, such as sitecustomize, and *.pth.
        with suppress(OSError):
            yield from folder.iterdir()
    yield from _files_below(Path(sysconfig.get_path("stdlib")))
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    yield from map(Path, filter(None, files))
    for package in {name.partition(".")[0] for name in (*sys.modules, *needed)}:
        yield from _files_of(package)
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith("/") and "x" in fields[1]:
            yield Path(fields[5])


def _files_of(package: str) -> Iterator[Path]:
    """List a package's files and folders, without importing it."""
    with suppress(ValueError, ImportError):  # what was made as the program ran is in no file
        spec = find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            for folder, folders, files in os.walk(place):
                yield from (Path(folder) / name for name in (*folders, *files))


def _files_below(place: Path) -> Iterator[Path]:
    """List a folder's files and folders, without the packages that were added to it."""
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name not in ("site-packages", "dist-packages")]
        yield from (Path(folder) / name for name in (*folders, *files))


def _writable(place: Path, checked: set[Path]) -> str | None:
    """Return why users other than root can write or replace a file or a folder; None if they can't.

    Checks the folders above it and the targets of links on the way, too; `checked` has paths that
    were found right before, each with all folders above it.
    """
    # A path, and whether a new file in it would be taken for root's.
    waiting = [(place.absolute(), True)]
    while waiting:
        each, must_not_grow = waiting.pop()
        if each in checked and not must_not_grow:
            continue
        try:
            status = each.lstat()
        except FileNotFoundError:  # it may be created later
            waiting.append((each.parent, True))
            continue
        if status.st_uid != 0:
            return f"{each} belongs to user {status.st_uid}"
        # In a sticky folder, such as /tmp, others can't remove root's files, but can add files.
        others_may_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        sticky = status.st_mode & stat.S_ISVTX and not must_not_grow
        if others_may_write and not sticky and not stat.S_ISLNK(status.st_mode):
            return f"{each} can be written by others than root"
        if stat.S_ISLNK(status.st_mode):
            waiting.append((each.parent / each.readlink(), must_not_grow))
        if each.parent != each and each not in checked:
            waiting.append((each.parent, False))
        checked.add(each)
    return None
