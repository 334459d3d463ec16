"""Pages of documentation: their text, their blocks of code, and running these."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```([\w{}-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    """Return a page without its blocks of code."""
    return BLOCK.sub("", page.read_text())


def examples(text: str) -> list[str]:
    """Return the blocks of Python in a page, or in a part of one."""
    return [code for language, code in BLOCK.findall(text) if language == "python"]


def run_example(code: str, folder: Path) -> None:
    """Run a block in a process of its own; it must print something, and complain of nothing."""
    with subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-W", "error::UserWarning", "-c", code],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said, complained = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # it says where it hangs
            said, complained = process.communicate()
    assert (process.returncode, complained) == (0, ""), code
    assert said, code
