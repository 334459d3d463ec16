"""Programs of a user without any privilege, whose standard streams are for a test to use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

from clients import NOBODY, SERVED

AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={SERVED}", "--clear-groups")
WITHOUT_POWER = ("--inh-caps=-all", "--bounding-set=-all", "--")


@contextmanager
def client(installed: Path, socket: str, text: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program as a user without any privilege."""
    python = str(installed / "bin" / "python")
    environment = {**os.environ, "XDPLAB_BROKER": socket, "XDPLAB_BACKEND": "broker"}
    with subprocess.Popen(
        [*AS_NOBODY, *WITHOUT_POWER, python, "-c", text],
        stdin=PIPE,
        stdout=PIPE,
        text=True,
        env=environment,
        cwd="/",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Write an empty line."""
    assert process.stdin is not None
    print(file=process.stdin, flush=True)
