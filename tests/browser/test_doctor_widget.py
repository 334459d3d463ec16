"""The doctor in a notebook: what it found, what would help, and another look."""

from __future__ import annotations

from support.pages import Look, OpenNotebook

# A finding that this machine may not have, so that there is a command to copy.
SHOWN = """
from xdplab import doctor
from xdplab.widgets import Doctor
from xdplab.doctor import Finding

looks = []
def lacking():
    looks.append(None)
    yield Finding("the test", "limited", f"look {len(looks)} <b>", "`echo <help>`, or nothing.")
    yield Finding("another", "missing", "nothing", "Nothing helps.")

shown = Doctor({**doctor.CHECKS, "the test": lacking})
shown
"""
LIVE = ".xdplab-live"
NOTHING_SCROLLS = """() => [...document.querySelectorAll('.jupyter-widgets')].every(
    (widget) => widget.scrollWidth <= widget.clientWidth)"""
BUSY = "import time; time.sleep(120)"


def test_findings_stand_in_a_table_with_what_helps_to_copy(
    open_notebook: OpenNotebook, look: Look
) -> None:
    page = open_notebook(SHOWN)
    page.run(0)
    page.page.locator(LIVE).get_by_text("with AF_XDP").wait_for()
    page.page.locator(LIVE).get_by_text("look 1 <b>").wait_for()
    page.page.locator(LIVE).locator("code", has_text="echo <help>").click()
    assert page.page.evaluate("String(getSelection())") == "echo <help>"
    # What a page without a kernel shows instead.
    page.page.locator(".xdplab-picture").wait_for(state="hidden")
    look(page, height=2000)
    for width in (1440, 960, 600):
        page.page.set_viewport_size({"width": width, "height": 2000})
        page.wait_until(NOTHING_SCROLLS)


def test_it_looks_again_while_a_cell_runs(open_notebook: OpenNotebook) -> None:
    page = open_notebook(SHOWN, BUSY)
    page.run(0)
    page.page.locator(LIVE).get_by_text("look 1 <b>").wait_for()
    page.start(1)
    page.page.get_by_role("button", name="Look again").click()
    page.page.locator(LIVE).get_by_text("look 2 <b>").wait_for(timeout=60_000)
