"""A page for many browsers shows rings and dashboard live, in both themes, to each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from support.artefacts import ARTEFACTS
from support.live_rows import SOURCES

from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Dashboard, LivePage, Rings

SIZES = {"light": 1280, "dark": 400}  # px of width, by theme
FIGURES_HAVE_ROWS = f"""() => {{
    const figures = ({SOURCES})();
    return figures.length === 2 && figures.every(
        (sources) => Object.values(sources).some(
            (columns) => Object.values(columns).some((column) => column.length > 0)));
}}"""


@pytest.fixture
def reads(chromium: Browser) -> Iterator[list[Page]]:
    """Have a browser for each theme and width; none complains."""
    complaints: list[str] = []
    pages = []
    for theme, width in SIZES.items():
        page = chromium.new_context(
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 900},
        ).new_page()
        page.on(
            "console", lambda said: complaints.append(said.text) if said.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        pages.append(page)
    yield pages
    for page in pages:
        page.context.close()
    refused = [each for each in complaints if "ERR_CONNECTION_REFUSED" not in each]
    assert refused == []


def test_all_browsers_follow_one_engine_and_none_has_a_control(reads: list[Page], lab: Lab) -> None:
    with Engine(lab.port, ring_size=16, batch=1, action="reflect") as engine:
        traffic = Traffic(lab.peer, lab.port, rate=20).start()
        live = LivePage([Rings(engine), Dashboard(engine, traffic, compact=True)], title="A <lab>")
        for page in reads:
            page.goto(live.url)
            page.wait_for_function(FIGURES_HAVE_ROWS)
        engine.pace = 0.5
        for page in reads:
            expect(page.get_by_text("slow motion").first).to_be_visible()
            expect(page.get_by_role("status")).to_have_text("read by 2 browsers")
            assert page.get_by_role("heading").inner_text() == "A <lab>"
            assert page.locator("button, input, select").count() == 0
            assert page.evaluate("document.body.scrollWidth <= innerWidth")
        ARTEFACTS.mkdir(exist_ok=True)
        for page, theme in zip(reads, SIZES, strict=True):
            page.screenshot(path=ARTEFACTS / f"live-page-{theme}.png", full_page=True)
        traffic.stop()
        live.close()
        for page in reads:
            expect(page.get_by_role("status")).to_contain_text("does not answer")
