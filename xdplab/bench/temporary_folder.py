"""A temporary folder for the files of a third-party program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from xdplab.net.namespace import on_a_thread


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Make a folder for the block.

    Parameters
    ----------
    prefix
        Beginning of its name.
    """
    folder = mkdtemp(prefix=prefix)
    try:
        yield Path(folder)
    finally:
        # Only the main thread gets an interrupt. There it may come between shutil's close of a
        # descriptor and its note of that, so that a second close raises OSError (Python 3.11).
        on_a_thread(partial(rmtree, folder))
