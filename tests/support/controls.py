"""What a person does to a notebook's controls, found by the words beside them."""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.notebook_page import NotebookPage
from playwright.sync_api import Locator


def group(page: NotebookPage, kind: str, label: str, nth: int = 0) -> Locator:
    """Find a control by the words beside it."""
    words = page.page.get_by_text(re.compile(f"^{label}$"))
    return page.page.locator(f".widget-{kind}", has=words).nth(nth)


def press(label: str, key: str, times: int = 1) -> Callable[[NotebookPage], None]:
    def on(page: NotebookPage) -> None:
        slider = group(page, "hslider", label)
        slider.wait_for()  # a strategy's own appear with it
        slider.locator(".noUi-handle").focus()
        for _ in range(times):
            page.page.keyboard.press(key)

    return on


def choose(label: str, text: str) -> Callable[[NotebookPage], None]:
    return lambda page: (
        group(page, "dropdown", label).locator("select").select_option(text) and None
    )


def tick(label: str) -> Callable[[NotebookPage], None]:
    return lambda page: group(page, "checkbox", label).locator("input").check()


def button(page: NotebookPage, text: str) -> Locator:
    return page.page.locator(".widget-button", has_text=text)


def click(text: str) -> Callable[[NotebookPage], None]:
    return lambda page: button(page, text).click()


def drag(page: NotebookPage, label: str, to: float) -> None:
    """Drag a slider's handle to a part of its length, 0 to 1, slowly enough for each stop."""
    slider = group(page, "hslider", label)
    handle, line = slider.locator(".noUi-handle"), slider.locator(".noUi-target")
    start, length = handle.bounding_box(), line.bounding_box()
    assert start is not None
    assert length is not None
    y = start["y"] + start["height"] / 2
    page.page.mouse.move(start["x"] + start["width"] / 2, y)
    page.page.mouse.down()
    page.page.mouse.move(length["x"] + to * length["width"], y, steps=20)
    page.page.mouse.up()


def box(page: NotebookPage, label: str, nth: int = 0) -> Locator:
    """Find the box beside a slider, which shows its value and takes another."""
    return around(page, label, nth).locator("input")


def around(page: NotebookPage, label: str, nth: int = 0) -> Locator:
    """Find a slider with what is beside and below it."""
    words = page.page.get_by_text(re.compile(f"^{label}$"))
    return page.page.locator(".xdplab-control", has=words).nth(nth)
