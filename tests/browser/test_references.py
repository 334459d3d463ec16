"""Widgets look as they did when somebody last looked at them.

`XDPLAB_NEW_REFERENCES=1` makes new reference pictures, and leaves the whole ones among the test
artefacts: look at each before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from harness.notebook_page import NotebookPage
from support import references
from support.pages import OpenNotebook
from support.waiting import eventually

FIRST = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from support.fixed_engine import fixed_engine
from support.fixed_results import *
from xdplab import Lab
from xdplab.doctor import Finding
from xdplab.widgets import (
    Controls, Dashboard, Doctor, Frames, LatencyView, Rings, Timeline)
lab = Lab(backend="soft")
engine = fixed_engine(lab)
def found():
    yield Finding("one", "missing", "nothing of it", "`apt install one` helps.")
    yield Finding("two", "limited", "a part of it", "Nothing helps.")
    yield Finding("three", "good", "all of it")
"""

SHOWN = {
    "compare": "fixed_compare(lab)",
    "controls": "Controls(engine)",
    "dashboard": "Dashboard(engine)",
    "doctor": "Doctor({'found': found})",
    "frames": "Frames(engine)",
    "front": "fixed_front(engine)",
    "latency": "LatencyView(engine)",
    "ledger": "fixed_ledger_view(engine)",
    "rings": "Rings(engine)",
    "sweep": "fixed_sweep(engine)",
    "timeline": "Timeline(engine)",
}
WAIT_FOR = {
    "controls": ".widget-vbox",
    "doctor": "table",
    "frames": ".xdplab-frames-table tbody tr",
}


def settled(page: NotebookPage) -> bytes:
    """Return a picture of the output, once it does not change any more."""
    output = page.page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea-output").first
    last = [output.screenshot()]

    def stays() -> bool:
        last.append(output.screenshot())
        one, other = map(references.blocks_of, last[-2:])
        return one.shape == other.shape and references.share_that_differs(one, other) == 0

    assert eventually(stays)
    return last[-1]


def show(go_on: OpenNotebook, widget: str) -> NotebookPage:
    page = go_on(FIRST, SHOWN[widget])
    page.hide_side_bar()
    page.page.set_viewport_size({"width": 1280, "height": 1500})
    page.run(1)
    page.scroll_to_active_cell()
    page.page.locator(WAIT_FOR.get(widget, ".xdplab-live")).first.wait_for()
    return page


def comes_to_look(page: NotebookPage, known: references.Blocks) -> bool:
    """Wait until the output looks alike: a figure is laid out some time after its first rows."""
    return eventually(lambda: references.is_alike(references.blocks_of(settled(page)), known))


@pytest.mark.parametrize("widget", SHOWN)
def test_a_widget_looks_as_it_did(go_on: OpenNotebook, widget: str) -> None:
    page = show(go_on, widget)
    if os.environ.get("XDPLAB_NEW_REFERENCES"):
        page.page.wait_for_timeout(2000)  # a figure is laid out some time after its first rows
        seen = settled(page)
        references.keep(widget, seen)
        references.leave(f"reference-{widget}", seen)
    if not comes_to_look(page, references.reference(widget)):
        seen = settled(page)
        one, other = references.blocks_of(seen), references.reference(widget)
        place = references.leave(f"differs-{widget}", seen)
        share = references.share_that_differs(one, other)
        pytest.fail(f"{share:.1%} of it looks otherwise than the reference: {place}")


def test_another_font_looks_alike_and_what_covers_or_is_missing_does_not(
    go_on: OpenNotebook,
) -> None:
    page = show(go_on, "controls")
    known = references.reference("controls")
    assert comes_to_look(page, known)

    def look_with(style: str) -> None:
        page.page.evaluate(
            "style => { (document.getElementById('planted') ?? document.head.appendChild("
            "Object.assign(document.createElement('style'), {id: 'planted'}))).textContent = style;"
            " }",
            style,
        )

    look_with("* { font-family: 'DejaVu Serif', serif !important; }")
    assert comes_to_look(page, known)
    for style in (
        ".widget-vbox { margin-top: -60px !important; }",
        ".widget-hslider { visibility: hidden !important; }",
    ):
        look_with(style)
        assert not references.is_alike(references.blocks_of(settled(page)), known)
    look_with("")
    assert comes_to_look(page, known)
