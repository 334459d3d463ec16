"""The latency widget in a real JupyterLab: its figures are the engine's, its buttons act on it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from harness.notebook_page import NotebookPage
from support.busy import BUSY, let_go
from support.live_rows import STOPPED
from support.pages import Look, OpenNotebook

MEASURE = """
import json, time
from xdplab import Engine, Lab, Sampling, Stream, Traffic
from xdplab.widgets import LatencyView
lab = Lab()
engine = Engine(lab.port, inspect=True).start()
traffic = Traffic(lab.peer, lab.port, rate=1_000).start()
shown = LatencyView(engine)
shown
"""

STOP = f"""
{STOPPED}
latency = engine.telemetry.latency()
print(json.dumps([latency.total, [latency.percentile(p) for p in (50, 90, 99, 99.9, 100)]]))
"""

SOURCES = """() => {
    const models = (window.Bokeh?.documents ?? []).flatMap((document) =>
        [...document.roots()[0].references()]);
    return Object.fromEntries(models.filter(({type, name}) => type === 'ColumnDataSource' && name)
        .map(({name, data}) => [name, Object.fromEntries(
            Object.entries(data).map(([column, values]) => [column, Array.from(values)]))]));
}"""

Sources = dict[str, dict[str, list[Any]]]


def sources(page: NotebookPage) -> Sources:
    """Return what the figure's sources hold, by their names."""
    found: Sources = page.page.evaluate(SOURCES)
    return found


def wait_for_flags(page: NotebookPage, condition: str = "flags.x.length === 5") -> Sources:
    """Wait until the percentiles drawn fulfil a condition."""
    page.wait_until(f"() => {{ const {{flags}} = ({SOURCES})(); return flags && {condition}; }}")
    return sources(page)


def press(page: NotebookPage, words: str) -> None:
    page.page.locator(".jupyter-button", has_text=words).click()


def wait_for_words(page: NotebookPage, words: str) -> None:
    page.page.get_by_text(words).first.wait_for()


def read_in_the_end(page: NotebookPage, index: int) -> list[float]:
    """Run the cell `STOP`, wait until all that it counted is drawn, and return its percentiles."""
    total, percentiles = json.loads(page.run(index))
    # The curve ends at the one slowest of all frames.
    page.wait_until(
        f"(total) => Math.abs(({SOURCES})()['live curve'].y.at(-1) * total - 1) < 1e-9", arg=total
    )
    return [float(ns) for ns in percentiles]


def test_figures_in_the_browser_are_the_engines(open_notebook: OpenNotebook) -> None:
    page = open_notebook(MEASURE, STOP)
    page.run(0)
    wait_for_flags(page)
    percentiles = read_in_the_end(page, 1)
    wait_for_words(page, "frames (every packet) since the reset")
    shown = sources(page)
    assert shown["flags"]["x"] == pytest.approx(percentiles)
    # Each bin is two points of the outline, which begins and ends on the axis.
    assert sum(shown["live"]["y"][1:-1:2]) == pytest.approx(100)
    assert shown["live"]["x"][0] <= percentiles[0] <= percentiles[4] <= shown["live"]["x"][-1]
    assert shown["live curve"]["x"][-1] == pytest.approx(percentiles[4])


def test_a_frozen_copy_stays_behind_what_is_measured_anew(open_notebook: OpenNotebook) -> None:
    page = open_notebook(MEASURE, STOP, "engine.wait = 'spin'; traffic.start()", STOP)
    page.run(0)
    before = read_in_the_end(page, 1)
    earlier = sources(page)
    press(page, "Freeze")
    press(page, "Reset")
    wait_for_flags(page, "flags.x.length === 0")
    wait_for_words(page, "nothing measured")
    page.run(2)
    wait_for_flags(page)
    after = read_in_the_end(page, 3)
    shown = sources(page)
    assert shown["frozen"] == earlier["live"]
    assert shown["frozen flags"]["x"] == earlier["flags"]["x"]
    wait_for_words(page, "poll, batch 64")
    ratios = page.page.locator("td", has_text=re.compile(" x$")).all_inner_texts()
    assert [float(ratio.split()[0]) for ratio in ratios] == pytest.approx(
        [now / then for now, then in zip(after, before, strict=True)], rel=0.005
    )

    page.save()
    page.reload()
    again = wait_for_flags(page)
    assert again["frozen"] == earlier["live"]
    press(page, "Clear")
    page.wait_until(f"() => ({SOURCES})().frozen.x.length === 0")


def test_says_why_nothing_is_measured_and_the_button_mends_it(open_notebook: OpenNotebook) -> None:
    quiet = MEASURE.replace("inspect=True", "sampling=Sampling(every=0)")
    page = open_notebook(quiet, "print(engine.inspect)")
    page.run(0)
    wait_for_words(page, "inspect is off and sample_every is 0")
    press(page, "Every packet")
    wait_for_flags(page)
    assert page.run(1).strip() == "True"


def test_buttons_act_while_the_first_cell_after_it_is_busy(open_notebook: OpenNotebook) -> None:
    page = open_notebook(MEASURE, f"{BUSY}\nprint(shown.frozen.label)")
    page.run(0)
    wait_for_flags(page)
    page.start(1)
    press(page, "Freeze")
    page.wait_until(f"() => ({SOURCES})().frozen.x.length > 0")
    assert let_go(page, 1).strip() == "poll, batch 64"


def test_a_generating_engine_shows_the_round_trip(open_notebook: OpenNotebook) -> None:
    page = open_notebook(
        "from xdplab import Engine, Lab, Stream\n"
        "from xdplab.widgets import LatencyView\n"
        "lab = Lab()\n"
        "far = Engine(lab.port, action='reflect').start()\n"
        "stream = Stream(lab.port, rate=10_000)\n"
        "engine = Engine(lab.peer, stream=stream, inspect=True).start()\n"
        "LatencyView(engine)",
        "print(engine.telemetry.latency().total)",
    )
    page.run(0)
    wait_for_flags(page)
    wait_for_words(page, "round trip, from our own frame's timestamp to its return")
    assert int(page.run(1)) > 0


def test_workers_and_the_last_seconds_can_be_chosen(open_notebook: OpenNotebook) -> None:
    page = open_notebook(
        "import time\n"
        "from xdplab import Engine, Lab, Traffic\n"
        "from xdplab.widgets import LatencyView\n"
        "lab = Lab(queues=2)\n"
        "engine = Engine(lab.port, queue=[0, 1], inspect=True, ring_size=8192).start()\n"
        "shown = LatencyView(engine)\n"
        "shown",
        "done = Traffic(lab.peer, lab.port, rate=20_000, count=5000, cpu=1).start().wait(30)",
        "print(shown.worker, shown.seconds, engine.telemetry.latency(1).total)",
        "shown.worker = 1",
    )
    page.run(0)
    page.run(1)
    wait_for_words(page, "5,000 frames")
    select = page.page.locator(".widget-dropdown select")
    select.nth(1).select_option("worker 0")
    wait_for_words(page, "nothing measured: No packet has come")
    page.run(3)
    wait_for_words(page, "worker 1 · one way")
    select.nth(2).select_option("last second")
    wait_for_words(page, "nothing measured: No packet has come")
    assert page.run(2).split() == ["1", "1", "5000"]


def test_of_a_closed_engine_the_figures_stay(open_notebook: OpenNotebook) -> None:
    page = open_notebook(MEASURE, "traffic.close(); engine.close()")
    page.run(0)
    wait_for_flags(page)
    page.run(1)
    wait_for_words(page, "engine is closed")
    page.save()
    page.reload()
    assert len(wait_for_flags(page)["live"]["x"]) > 0
    assert page.page.locator(".jupyter-button", has_text="Reset").is_disabled()


@pytest.mark.parametrize("tail", [False, True], ids=["histogram", "curve"])
def test_latency_looks(open_notebook: OpenNotebook, look: Look, tail: bool) -> None:
    compare = MEASURE.replace(
        "shown = LatencyView(engine)",
        "time.sleep(1)\n"
        f"shown = LatencyView(engine, tail={tail})\n"
        "shown.freeze()\n"
        "engine.wait = 'spin'\n"
        "time.sleep(0.2)\n"
        "shown.reset()",
    )
    page = open_notebook(compare)
    page.run(0)
    wait_for_flags(page)
    look(page)
