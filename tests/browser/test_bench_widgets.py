"""The benchmark of the widgets, in a real JupyterLab and a real browser."""

from __future__ import annotations

import pytest
import widgets_benchmark
from harness import chromium
from widgets_benchmark import BENCHMARK, GOALS

from xdplab.bench.report.report import render

pytestmark = pytest.mark.usefixtures("privileged")


@pytest.mark.timeout(900)
def test_every_figure_is_measured_and_held_against_its_goal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What the figures are is not tested, and at the highest rate all else waits for a core.
    monkeypatch.setattr(widgets_benchmark, "_SETTLING_SECONDS", 0.5)
    monkeypatch.setattr(widgets_benchmark, "_LONG", 2)
    result = BENCHMARK.run(rounds=1, seconds=0.5, moves=3, quiet=True)
    entries = {entry["name"]: entry for entry in result["entries"]}
    assert {entry["status"] for entry in entries.values()} == {"measured"}, entries
    shown, hidden = entries["dashboard"], entries["no dashboard"]
    assert shown["kernel_cpu_percent"]["median"] > hidden["kernel_cpu_percent"]["median"] >= 0
    assert shown["messages_per_second"]["median"] > hidden["messages_per_second"]["median"]
    for entry in (entries["slider"], entries["slider, computing"]):
        assert 0 < entry["slider_ms"]["median"] <= entry["slider_p90_ms"]["median"]
    assert entries["growth"]["page_growth_bytes_per_message"] is not None
    assert result["rate_ratio"] > 0
    assert {goal["name"] for goal in result["goals"]} == set(GOALS)
    monkeypatch.setenv("COLUMNS", "200")  # in which no name is broken, whatever the figures
    shown_text = render(BENCHMARK, result)
    assert "of the engine's rate kept" in shown_text
    assert "slider, computing" in shown_text


def test_without_a_browser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "missing", lambda: "apt-get install chromium")
    result = BENCHMARK.run(rounds=1, seconds=1.0, quiet=True)
    assert {entry["status"] for entry in result["entries"]} == {"missing"}
    assert not any(goal["met"] for goal in result["goals"])
    assert "apt-get install chromium" in render(BENCHMARK, result)
