"""A benchmark's report in a real browser: drawn, readable in both themes, and all on its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from support.artefacts import ARTEFACTS
from support.pages import DRAWN

from xdplab.bench import BENCHMARKS, write_report

INK = "Bokeh.documents[0].roots()[0].children[0].title.text_color"


@pytest.fixture(scope="module")
def report(privileged: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    result = BENCHMARKS["batch"].run(rounds=2, seconds=0.1, batches=[1, 16, 256], quiet=True)
    write_report(path, result)
    return path


@pytest.mark.parametrize(
    ("theme", "ink"), [("light", "rgb(26, 26, 26)"), ("dark", "rgb(228, 228, 228)")]
)
def test_a_report_draws_its_figures_without_a_request_or_a_complaint(
    report: Path, chromium: Browser, theme: str, ink: str
) -> None:
    context = chromium.new_context(
        color_scheme=theme,  # type: ignore[arg-type]
        viewport={"width": 900, "height": 1800},
        offline=True,
    )
    page = context.new_page()
    complaints, requests = [], []
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    # Rates, system calls and times a packet; each on a canvas and what lies above it.
    page.wait_for_function("window.Bokeh?.documents[0]?.roots()[0]?.children.length === 3")
    page.wait_for_function(f"{INK} === {ink!r}")
    figures = page.locator("#figures .bk-Figure")
    figures.nth(2).wait_for()
    page.wait_for_function("Bokeh.documents[0].is_idle")
    page.screenshot(path=ARTEFACTS / f"report-{theme}.png")
    for place in range(3):
        assert figures.nth(place).locator("canvas").first.evaluate(DRAWN) > 10_000
    assert requests == [report.as_uri()]
    assert complaints == []
    # No part is cut off at the page's edge.
    assert page.evaluate("document.documentElement.scrollWidth") <= 900
    context.close()
