"""Programs that a test starts and talks to, line by line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from subprocess import PIPE


@contextmanager
def program(
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
    folder: str | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run a program, whose standard streams are for the test to use."""
    with subprocess.Popen(
        arguments, stdin=PIPE, stdout=PIPE, text=True, env=environment, cwd=folder
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def python(text: str, *before: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run a program in Python; what goes before it is a command that runs it."""
    return program([*before, sys.executable, "-c", text])


def line(process: subprocess.Popen[str]) -> str:
    """Read a line of what it says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Write it an empty line."""
    assert process.stdin is not None
    print(file=process.stdin, flush=True)
