"""A folder for the files of a program that others wrote, gone afterwards."""

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
        What its name begins with.
    """
    folder = mkdtemp(prefix=prefix)
    try:
        yield Path(folder)
    finally:
        # An interrupt comes to the main thread alone. There it may come between shutil's closing of
        # a descriptor and its noting so, and ends as an OSError: closed twice (Python 3.11).
        on_a_thread(partial(rmtree, folder))
