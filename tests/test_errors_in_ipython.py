"""In IPython an error is the user's line and the message, and the whole traceback on request."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("IPython")

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

ONE_SCREEN = 24
_COLORS = re.compile(r"\x1b\[[0-9;]*m")

Show = Callable[[str], str]


@pytest.fixture
def show() -> Iterator[Show]:
    """Run cells in a shell of its own, and return what each prints."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()

    def run(cell: str) -> str:
        with capture_output() as captured:
            shell.run_cell(cell, store_history=True)
        return _COLORS.sub("", str(captured.stdout) + str(captured.stderr))

    run("from xdplab import Engine, Lab, Traffic, tune\nlab = Lab(backend='soft')")
    yield run
    run("lab.close()")
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    ("cell", "line", "words"),
    [
        ("Engine('eth9')", "Engine('eth9')", "InterfaceGoneError: .*'eth9'"),
        ("Lab(\n    mut=9000\n)", "Lab(", "WrongCallError: .*Did you mean 'mtu'"),
        ("e.batch = 4\ne.bacth = 3", "e.bacth = 3", "Did you mean 'batch'"),
        ("from xdplab.widgets import Rings\nRings(e).worker = 9", "worker = 9", "worker=9"),
        (
            "def deep(n):\n    return deep(n - 1) if n else Traffic('a', 'b')\ndeep(50)",
            "deep(50)",
            "sender='a' must be",
        ),
    ],
)
def test_an_error_is_one_screen_with_the_line_of_the_user(
    show: Show, cell: str, line: str, words: str
) -> None:
    show("e = Engine(lab.port)")
    shown = show(cell)
    assert len(shown.splitlines()) <= ONE_SCREEN
    assert re.search(f"^--+> \\d+ .*{re.escape(line)}", shown, re.M), shown
    assert re.search(words, shown)
    assert "xdplab/" not in shown
    assert "File " not in shown, "no line of a library"
    assert "During handling" not in shown
    assert "direct cause" not in shown
    assert "%tb" in shown


def test_the_whole_is_shown_on_request(show: Show) -> None:
    show("Engine('eth9')")
    assert "xdplab/net/" in show("%tb")
    assert "xdplab/net/" not in show("Engine('eth9')")
    show("%xmode Verbose")
    assert "xdplab/net/" in show("Engine('eth9')")
    show("%xmode Minimal")
    assert show("Engine('eth9')").startswith("InterfaceGoneError")
    show("%xmode Context")


def test_an_error_that_is_no_error_of_ours_is_shown_whole(show: Show) -> None:
    assert "%tb" not in show("1 / 0")


def test_python_without_ipython_shows_it_as_ever() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import xdplab\nxdplab.Lab(mut=9000)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.startswith("Traceback (most recent call last)")
    assert done.stderr.endswith("Lab takes no mut=9000. Did you mean 'mtu'?\n")
    assert "%tb" not in done.stderr


def test_an_error_that_was_kept_is_shown_by_its_name_and_its_lines(show: Show) -> None:
    show("from xdplab.course import refused\nkept = refused(Engine, 'eth9')")
    shown = show("kept")
    assert re.search(r"InterfaceGoneError: .*'eth9'", shown)
    assert "Traceback" not in shown
    page = show(
        "from xdplab import XdplabError\nprint(XdplabError('if a < b:\\n    c')._repr_html_())"
    )
    assert "XdplabError</span>: if a &lt; b:\n    c</div>" in page
