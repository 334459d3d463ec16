"""Programs of a user without any privilege."""

from __future__ import annotations

import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from support.child_programs import program
from support.clients import NOBODY, SERVED

AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={SERVED}", "--clear-groups")
WITHOUT_POWER = ("--inh-caps=-all", "--bounding-set=-all", "--")


def client(
    installed: Path, socket: str, text: str
) -> AbstractContextManager[subprocess.Popen[str]]:
    """Run a Python program as a user without any privilege, through a broker."""
    python = str(installed / "bin" / "python")
    environment = {**os.environ, "XDPLAB_BROKER": socket, "XDPLAB_BACKEND": "broker"}
    return program([*AS_NOBODY, *WITHOUT_POWER, python, "-c", text], environment, "/")
