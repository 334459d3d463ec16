"""The check of a page's layout finds what covers something else or is cut off, and nothing more."""

from __future__ import annotations

import pytest
from harness.notebook_page import NotebookPage
from support.layout import faults
from support.pages import OpenNotebook

SOUND = """
from IPython.display import HTML
HTML('''<div style="width: 200px; overflow: hidden"><span id="one">some words</span>
<button id="two">press</button><p id="three">a line of its own</p></div>''')
"""

PLANTED = {
    "a text over another": ("#three", "margin-top: -16px", "covers"),
    "a button over a text": ("#two", "margin-left: -30px", "covers"),
    "a text beyond its frame": ("#three", "white-space: nowrap; padding-left: 150px", "cut off"),
}


def style(page: NotebookPage, place: str, text: str) -> None:
    page.page.locator(place).evaluate("(element, text) => { element.style = text; }", text)


def test_what_is_sound_is_found_so_also_in_another_font(go_on: OpenNotebook) -> None:
    page = go_on(SOUND)
    assert faults(page) == []
    for font in ("serif", "monospace", "110% sans-serif"):
        style(page, "#one", f"font: 100% {font}")
        assert faults(page) == []


@pytest.mark.parametrize("planted", PLANTED)
def test_what_was_planted_is_found(go_on: OpenNotebook, planted: str) -> None:
    page = go_on(SOUND)
    place, text, kind = PLANTED[planted]
    style(page, place, text)
    assert kind in {fault[0] for fault in faults(page)}
    style(page, place, "")
    assert faults(page) == []
