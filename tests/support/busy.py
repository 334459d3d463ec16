"""A cell that keeps the kernel busy until the test has seen enough."""

from __future__ import annotations

from harness.notebook_page import NotebookPage

# For two minutes at most.
BUSY = """
import time
from pathlib import Path
deadline = time.monotonic() + 120
while not Path("go-on").exists() and time.monotonic() < deadline:
    time.sleep(0.05)
Path("go-on").unlink()
"""


def is_running(page: NotebookPage, cell: int) -> bool:
    return not page.page.evaluate("index => window.cellsRun[index].done", cell)


def let_go(page: NotebookPage, cell: int) -> str:
    """End a cell that is busy, and return what it printed then."""
    assert is_running(page, cell)
    (page.path.parent / "go-on").touch()
    page.wait_for(cell)
    return page.printed(cell)
