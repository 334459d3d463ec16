"""All widgets on one page, and what people do to notebooks: again, away, reload, restart, twice."""

from __future__ import annotations

import json
import re

import pytest
from harness.notebook_page import NotebookPage
from playwright.sync_api import expect
from support.live_rows import ROWS
from support.pages import Look, OpenNotebook, Picture

IMPORTS = """
import gc, json, threading, time
import ipywidgets
from xdplab import Engine, Lab, Sampling, Traffic
from xdplab.widgets import Controls, Dashboard, Frames, LatencyView, LedgerView, Rings, Timeline
from xdplab.widgets.base import pump
from xdplab.widgets.live import figure as live_figure
lab = Lab()
"""

# Rings of 64 entries are drawn; 500 packets a second are enough for every widget.
ENGINE = """
sampling = Sampling(every=100)
engine = Engine(lab.port, ring_size=64, batch=16, inspect=True, sampling=sampling).start()
traffic = Traffic(lab.peer, lab.port, rate=500).start()
"""

ALL = """
dashboard = Dashboard(engine, traffic)
ipywidgets.VBox([
    dashboard,
    Timeline(engine, traffic),
    ipywidgets.HBox([Controls(engine, traffic), LatencyView(engine)],
                    layout={"flex_flow": "row wrap"}),
    Rings(engine),
    LedgerView(engine, traffic),
    Frames(engine),
])
"""
EVERYTHING = IMPORTS + ENGINE + ALL
LIVE = 6
"""What of these moves: the figures of dashboard, timeline, latency, rings and ledger; frames."""

DASHBOARD = "dashboard = Dashboard(engine, traffic)\ndashboard"

# Where the plots of the first dashboard begin, in pixels from the left.
LEFTS = """() => {
    const root = window.Bokeh.documents[0].roots()[0];
    const {child_views} = window.Bokeh.index.get_by_id(root.id);
    return child_views.map((plot) => Math.round(plot.el.getBoundingClientRect().left));
}"""

# Prints in the end, whatever comes of it: how long it takes is not what is tested.
OURS = """
deadline = time.monotonic() + 30
def ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("xdplab-")]
while ours() and time.monotonic() < deadline:
    time.sleep(0.1)
print(json.dumps(ours()))
"""

ROWS_OF_FRAMES = ".xdplab-frames-table tbody tr"


def wait_until_all_live(page: NotebookPage) -> None:
    """Wait until each figure has got its first rows, and the table of frames its own."""
    expect(page.page.locator(".xdplab-live")).to_have_count(LIVE)
    page.page.locator(ROWS_OF_FRAMES).first.wait_for()
    page.wait_until(f"() => {ROWS}()[0].received.filter((rate) => rate > 0).length > 3")


def wait_for_rows(page: NotebookPage, count: int, figures: int = 1) -> dict[str, list[float]]:
    """Wait until the dashboards of the page have `count` rows with packets in them."""
    page.wait_until(
        f"""([count, figures]) => {{
            const all = {ROWS}();
            return all.length === figures && all.every(
                ({{received}}) => received.filter((rate) => rate > 0).length >= count);
        }}""",
        arg=[count, figures],
    )
    rows: dict[str, list[float]] = page.page.evaluate(f"{ROWS}()[0]")
    return rows


def leaves_nothing_running(page: NotebookPage, index: int) -> bool:
    return json.loads(page.run(index)) == []


def test_all_widgets_live_together_on_one_page(go_on: OpenNotebook, look: Look) -> None:
    page = go_on(EVERYTHING)
    wait_until_all_live(page)
    look(page, height=3000)


def test_a_reload_brings_every_widget_back_with_its_history(go_on: OpenNotebook) -> None:
    # A busy machine takes up to a minute to reload: rows from before it are still in this range.
    page = go_on(EVERYTHING, "dashboard.seconds = 300")
    page.run(1)
    wait_until_all_live(page)
    before = wait_for_rows(page, 20)
    frames = page.page.locator(ROWS_OF_FRAMES).count()
    page.save()
    page.reload()
    wait_until_all_live(page)
    after = wait_for_rows(page, len(before["time"]))
    assert set(before["time"][-20:-1]) <= set(after["time"])
    page.wait_until(
        f"count => document.querySelectorAll('{ROWS_OF_FRAMES}').length >= count", arg=frames
    )


def test_all_widgets_live_together_in_notebook_7(open_notebook: OpenNotebook, look: Look) -> None:
    page = open_notebook(EVERYTHING, application="notebook")
    page.page.set_viewport_size({"width": 1280, "height": 3000})
    page.run(0)
    wait_until_all_live(page)
    # Notebook 7 puts outputs that are taller than the window into a box that scrolls.
    page.page.evaluate(
        """document.querySelectorAll(".jp-mod-outputsScrolled").forEach(
            (cell) => cell.classList.remove("jp-mod-outputsScrolled"))"""
    )
    look(page, height=3000)


@pytest.mark.parametrize("application", ["lab", "notebook_as_it_comes"])
def test_controls_and_dashboard_live_in_both_applications(
    open_notebook: OpenNotebook, picture: Picture, application: str
) -> None:
    both = "dashboard = Dashboard(engine, traffic)\ndisplay(dashboard, Controls(engine, traffic))"
    page = open_notebook(IMPORTS, ENGINE, both, "print(engine.batch)", application=application)
    for index in range(3):
        page.run(index)
    wait_for_rows(page, 20)
    page.hide_side_bar()
    for width, columns in ((600, 1), (1280, 2), (600, 1)):
        page.page.set_viewport_size({"width": width, "height": 900})
        page.wait_until(f"columns => new Set(({LEFTS})()).size === columns", arg=columns)
    label = page.page.get_by_text(re.compile("^Batch( size)?$"))
    sliders = page.page.locator(".widget-hslider", has=label)
    expect(sliders).to_have_count(2)
    boxes = page.page.locator(".xdplab-control", has=label).locator("input")
    for box in boxes.all():
        expect(box).to_have_value("16")
    # With the mouse: in Notebook 7 the arrow keys are the notebook's own.
    track = sliders.last.locator(".noUi-base")
    width = track.evaluate("track => track.clientWidth")
    track.click(position={"x": width - 1, "y": 2})
    # What one of them was moved to, all show.
    for box in boxes.all():
        expect(box).to_have_value("64")
    assert page.run(3).strip() == "64"
    picture(page)


def test_cells_that_run_again_replace_engine_and_widgets_and_nothing_of_ours_outlives_the_page(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(IMPORTS, ENGINE, ALL, OURS)
    page.run(0)
    for _ in range(2):
        page.run(1)
        page.run(2)
        wait_until_all_live(page)
    page.clear_output(2)
    assert leaves_nothing_running(page, 3)
    page.run(2)
    wait_until_all_live(page)
    page.close()
    page = open_notebook()  # of which nothing was saved
    assert leaves_nothing_running(page, 3)


# JupyterLab takes cells out of sight off the page, be they ready or not.
OFF_THE_PAGE = """() => {
    const { node } = window.jupyterapp.shell.currentWidget.content.widgets[1];
    window.taken = { node, parent: node.parentNode, next: node.nextSibling };
    node.remove();
}"""
BACK_ON_THE_PAGE = "() => window.taken.parent.insertBefore(window.taken.node, window.taken.next)"


def test_a_figure_that_is_made_off_the_page_lives_as_soon_as_it_is_on_it(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(IMPORTS + ENGINE, DASHBOARD)
    page.run(0)
    page.page.evaluate(OFF_THE_PAGE)
    page.run(1)
    page.wait_until("() => window.Bokeh && window.taken.node.querySelector('.xdplab-complaint')")
    page.page.evaluate(BACK_ON_THE_PAGE)
    before = wait_for_rows(page, 5)
    expect(page.page.locator(".xdplab-live canvas").first).to_be_visible()
    page.page.evaluate(OFF_THE_PAGE)  # where its text and lines have no ink
    page.wait_until(f"(end) => {ROWS}()[0].time.at(-1) > end + 2000", arg=before["time"][-1])
    page.page.evaluate(BACK_ON_THE_PAGE)
    expect(page.page.locator(".xdplab-live canvas").first).to_be_visible()
    expect(page.page.locator(".xdplab-complaint:not(:empty)")).to_have_count(0)


def test_an_engine_that_was_replaced_is_told_by_the_widgets_that_showed_it(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(IMPORTS, ENGINE, DASHBOARD)
    for index in range(3):
        page.run(index)
    before = wait_for_rows(page, 5)
    page.run(1)
    page.page.get_by_text("engine is closed").first.wait_for()
    assert set(before["time"]) <= set(wait_for_rows(page, 5)["time"])


# How often the page says that the kernel ended.
ENDINGS_SAID = """() => {
    const all = (selector) => [...document.querySelectorAll(selector)];
    const said = [
        ...all('.xdplab-state').map((state) => getComputedStyle(state, '::after').content),
        ...all('.xdplab-complaint').map((complaint) => complaint.textContent),
    ];
    return said.filter((words) => words.includes('kernel ended. Run the cells again')).length;
}"""

NO_BROKEN_LINKS = """() => [...document.querySelectorAll('.jupyter-widgets-disconnected')].every(
    (widget) => getComputedStyle(widget, '::before').display === 'none')"""


def test_a_restarted_kernel_leaves_a_page_on_which_all_can_begin_anew(
    open_notebook: OpenNotebook,
    picture: Picture,
) -> None:
    page = open_notebook(IMPORTS, ENGINE, ALL)
    for index in range(3):
        page.run(index)
    wait_until_all_live(page)
    said = page.page.locator(".xdplab-state")
    expect(said.first).to_contain_text("running")
    page.restart_kernel()
    # Once in each widget: the live ones, and Controls.
    page.wait_until(f"count => ({ENDINGS_SAID})() === count", arg=LIVE + 1)
    expect(page.page.locator(".xdplab-state > *").locator("visible=true")).to_have_count(0)
    controls = page.page.locator(".xdplab-ended :is(button, input, select)")
    assert controls.count() > LIVE
    assert page.page.locator(".xdplab-ended :is(button, input, select):not(:disabled)").count() == 0
    assert page.page.evaluate(NO_BROKEN_LINKS)
    picture(page)
    for index in range(3):
        page.run(index)
    wait_until_all_live(page)


def test_two_browsers_see_the_same_and_either_can_leave(open_notebook: OpenNotebook) -> None:
    page = open_notebook(IMPORTS, ENGINE, ALL, OURS)
    for index in range(3):
        page.run(index)
    wait_until_all_live(page)
    page.save()
    second = open_notebook()
    wait_until_all_live(second)
    both = wait_for_rows(page, 10), wait_for_rows(second, 10)
    assert set(both[0]["time"]) & set(both[1]["time"])
    page.close()
    end = wait_for_rows(second, 10)["time"][-1]
    second.wait_until(f"(end) => {ROWS}()[0].time.at(-1) > end + 1000", arg=end)
    second.clear_output(2)
    assert leaves_nothing_running(second, 3)


# An hour has 36,000 beats. The dashboard's shortest range has the most rows: 50 a second.
QUICKEN = """
import tracemalloc
from collections import deque
pump.INTERVAL, live_figure.UNDER_WAY = 0.005, 100_000
dashboard.seconds = 10
took, beats, beat = deque(maxlen=500), 0, pump._beat
def timed(subscriber):
    global beats
    began = time.thread_time()
    beat(subscriber)
    took.append(time.thread_time() - began)
    beats += 1
pump._beat = timed
"""

PASS = """
tracemalloc.start()
def wait_for(more):
    until = beats + more
    while beats < until:
        time.sleep(0.05)
    gc.collect()
wait_for(1000)
held, first = tracemalloc.get_traced_memory()[0], sorted(took)
wait_for(5000)
grown, last = tracemalloc.get_traced_memory()[0] - held, sorted(took)
tracemalloc.stop()
print(json.dumps({"grown": grown, "first": first[250], "last": last[250]}))
"""


@pytest.mark.alone  # 6,000 beats, of which a busy core takes minutes
def test_after_thousands_of_beats_a_beat_takes_and_the_kernel_holds_what_they_did_at_first(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(IMPORTS, ENGINE, DASHBOARD, QUICKEN, PASS)
    for index in range(4):
        page.run(index)
    wait_for_rows(page, 190)  # the range is nearly full, with 200
    seen = json.loads(page.run(4))
    # Bytes a beat: less than the smallest object that each could leave behind.
    assert seen["grown"] < 5000 * 40
    assert seen["last"] < 2 * seen["first"]
