"""Measures the time from a slider's move in the browser to its effect in the worker."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from harness.errors import BrowserError

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from xdplab.telemetry.region import Telemetry

_PATIENCE = 30.0  # seconds for one move
_PAUSE = (0.1, 0.4)  # seconds between two moves, random so as not to follow the pump's beat
_CALIBRATIONS = 20

_LISTEN = """() => {
    window.xdplabPressed = 0;
    addEventListener('keydown', (event) => { window.xdplabPressed = event.timeStamp; }, true);
}"""


class Slider:
    """The slider of the batch size on a page.

    Parameters
    ----------
    page
        A page with one dashboard.
    telemetry
        Telemetry of its engine, which publishes each millisecond: a record has the batch size that
        the worker used, and the time.
    """

    def __init__(self, page: Page, telemetry: Telemetry) -> None:
        self._page, self._telemetry = page, telemetry
        page.evaluate(_LISTEN)
        self._offset = self._clock_offset()
        sliders = page.locator(".widget-hslider", has=page.get_by_text("Batch", exact=True))
        self._handle = sliders.locator(".noUi-handle").first

    def move(self, right: bool) -> float:
        """Press an arrow key; return the seconds until the worker used the new batch size.

        Raises
        ------
        BrowserError
            When the worker did not use it within 30 s.
        """
        time.sleep(random.uniform(*_PAUSE))
        self._handle.focus()  # starting a cell took the focus away
        records, position = self._telemetry.history()
        before = records["control_batch"][-1]
        self._page.keyboard.press("ArrowRight" if right else "ArrowLeft")
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            records, position = self._telemetry.history(position)
            used = records[records["control_batch"] != before]
            if len(used):
                pressed: float = self._page.evaluate("window.xdplabPressed") / 1e3 + self._offset
                return float(used["time_ns"][0]) / 1e9 - pressed
            time.sleep(0.005)
        raise BrowserError(
            f"the worker did not use what the slider was moved to within {_PATIENCE} s"
        )

    def _clock_offset(self) -> float:
        """Return CLOCK_MONOTONIC minus the page's clock, in s; error: half a round trip."""
        closest = (float("inf"), 0.0)
        for _ in range(_CALIBRATIONS):
            asked = time.monotonic()
            shown: float = self._page.evaluate("performance.now()") / 1e3
            answered = time.monotonic()
            closest = min(closest, (answered - asked, (asked + answered) / 2 - shown))
        return closest[1]
