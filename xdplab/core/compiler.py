"""Runs a compiler on a source of the user's, and keeps what it says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SECONDS = 60
"""The longest that a compiler may take."""


class Outcome(NamedTuple):
    """What became of a source."""

    failed: bool
    said: str
    """The compiler's words: errors and warnings, or that it took too long."""


def compile_in(folder: Path, command: Sequence[str]) -> Outcome:
    """Run a compiler in a folder.

    Parameters
    ----------
    folder
        Names of files in the compiler's words are as seen from here.
    command
        The compiler's path, and its arguments.
    """
    try:
        done = subprocess.run(
            list(command),
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(True, f"{command[0]} took more than {SECONDS} s.")
    return Outcome(bool(done.returncode), done.stdout.decode(errors="replace").strip())
