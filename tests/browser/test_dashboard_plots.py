"""What the dashboard's plots show: ranges, pause, hover, several engines and workers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from harness.notebook_page import NotebookPage
from support.live_rows import CAPTURE, ROWS, Rows, rows, wait_for_rows, window
from support.pages import Look, OpenNotebook
from support.waiting import eventually

TWO_ENGINES = """
import time
from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Dashboard
labs = [Lab(), Lab()]
engines = [Engine(labs[0].port).start(), Engine(labs[1].port, wait="adaptive").start()]
traffic = [
    Traffic(lab.peer, lab.port, rate=rate).start()
    for lab, rate in zip(labs, (500, 250))
]
Dashboard(engines)
"""

TURNED = """
time.sleep(1.5)
engine.batch = 256
time.sleep(1)
engine.wait = "adaptive"
time.sleep(2)
traffic.rate = 30_000
time.sleep(2)
"""

TWO_WORKERS = """
import socket, time
from xdplab import Engine, Lab
from xdplab.widgets import Dashboard
lab = Lab(queues=2)
engine = Engine(lab.port, queue=[0, 1]).start()
for _ in range(64):  # the sender's kernel chooses a queue for each socket
    with lab.peer.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for _ in range(10):
            udp.sendto(b"one of many", (lab.port.ipv4, 9))
time.sleep(0.5)
engine.stop()
print(*(int(engine.telemetry.counters(worker)["rx_packets"]) for worker in (0, 1)))
Dashboard(engine)
"""

# Prints what was received in the last 10, 30 and 60 seconds.
STOP = """
import numpy as np
traffic.stop()
time.sleep(0.5)
engine.stop()
records, _ = engine.telemetry.history()
times, packets = (records[name].astype(float) for name in ("time_ns", "rx_packets"))
spans = [10, 30, 60]
print(*(packets[-1] - np.interp(times[-1] - span * 1e9, times, packets) for span in spans))
"""

# What a test leaves of a capture, so that the next can go on with it.
AGAIN = """
dashboard = Out[1]
dashboard.paused, dashboard.seconds, dashboard.worker = False, 60, None
engine.wait = "poll"
if not engine.running:
    engine.start()
if not traffic.running:
    traffic.start()
"""

# Whether anything is drawn on a canvas.
INKED = """(canvases) => canvases.map((canvas) => canvas.getContext('2d')
    .getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0))"""


# Counts how often a glyph of a trace gets its rows, which is never; returns how many are there.
COUNT_GLYPHS = """() => {
    const {GlyphView} = window.Bokeh.require("models/glyphs/glyph");
    const old = GlyphView.prototype.set_data;
    window.madeAnew = 0;
    window.countNoMore = () => { GlyphView.prototype.set_data = old; };
    GlyphView.prototype.set_data = function (...given) {
        if (this.model.tags.includes("trace")) window.madeAnew++;
        return old.apply(this, given);
    };
    const models = window.Bokeh.documents[0].roots().flatMap((root) => [...root.references()]);
    return models.filter((model) => model.tags?.includes("trace")).length;
}"""


def hover(page: NotebookPage, plot: int, share: float) -> None:
    """Move the mouse into a plot, so far to the right."""
    box = page.page.locator(".bk-Canvas").nth(plot).bounding_box()
    assert box is not None
    page.page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.7 * box["height"])


def choose(page: NotebookPage, description: str, value: str) -> None:
    menu = page.page.locator(".widget-dropdown", has_text=description).locator("select")
    menu.select_option(value)


def wait_for_span(page: NotebookPage, seconds: float) -> None:
    page.wait_until(
        """milliseconds => {
            const {start, end} = window.Bokeh.documents[0].get_model_by_name('window');
            return Math.abs(end - start - milliseconds) < 1;
        }""",
        arg=1000 * seconds,
    )


def area(shown: Rows, name: str = "received") -> float:
    step = (shown["time"][1] - shown["time"][0]) / 1000
    return float(np.nansum(shown[name])) * step


def test_ranges_show_what_the_engine_counted(go_on: OpenNotebook) -> None:
    page = go_on(CAPTURE, STOP, again=AGAIN)
    wait_for_rows(page, 20)
    counted = [float(packets) for packets in page.run(1).split()]
    for choice, seconds, step, packets in (
        ("10 s", 10, 50, counted[0]),
        ("2 min", 120, 1000, None),
        ("30 s", 30, 100, counted[1]),
        ("1 min", 60, 200, counted[2]),
    ):
        choose(page, "Last", choice)
        wait_for_span(page, seconds)
        page.wait_until(
            f"step => {{ const {{time}} = {ROWS}()[0];"
            " return Math.round(time[1] - time[0]) === step; }",
            arg=step,
        )
        shown = rows(page)
        start, end = window(page)
        assert start <= shown["time"][0]
        assert shown["time"][-1] <= end
        assert len(shown["time"]) <= 300
        if packets is not None:  # a row's worth may be cut off at the beginning
            assert area(shown) == pytest.approx(packets, rel=0.01)


def test_rows_are_painted_and_the_legend_has_a_sample_of_each_line(go_on: OpenNotebook) -> None:
    page = go_on(CAPTURE, again=AGAIN)
    wait_for_rows(page, 1)
    samples = page.page.locator(".bk-Legend canvas")
    labels = page.page.locator(".bk-Legend .bk-label")
    assert eventually(lambda: samples.count() == labels.count() > 0)
    # They are painted once, some time after the legend is there.
    assert eventually(lambda: all(samples.evaluate_all(INKED)))
    assert page.page.evaluate(COUNT_GLYPHS) > 0
    wait_for_rows(page, 5 + len(rows(page)["time"]))
    page.page.evaluate("window.countNoMore()")
    assert page.page.evaluate("window.madeAnew") == 0
    plots = page.page.locator(".bk-Canvas canvas:first-of-type")
    assert eventually(lambda: all(plots.evaluate_all(INKED)))


def test_range_pause_and_worker_are_traits(go_on: OpenNotebook) -> None:
    page = go_on(
        CAPTURE,
        "dashboard = Out[1]; dashboard.seconds = 10",
        "dashboard.paused = True",
        "dashboard.paused = False",
        "print(dashboard.seconds, dashboard.paused, dashboard.worker)",
        again=AGAIN,
    )
    wait_for_rows(page, 1)
    page.run(1)
    wait_for_span(page, 10)
    page.wait_until(
        "[...document.querySelectorAll('select')].some((menu) => menu.value === '10 s')"
    )
    page.run(2)
    page.page.locator(".widget-toggle-button.mod-active").wait_for()
    page.run(3)
    page.page.locator(".widget-toggle-button:not(.mod-active)").wait_for()
    choose(page, "Last", "5 min")
    page.page.locator(".widget-toggle-button").click()
    wait_for_span(page, 300)
    assert page.run(4).split() == ["300", "True", "None"]


def test_paused_plots_stand_still_while_the_engine_goes_on_and_after_a_reload(
    go_on: OpenNotebook,
) -> None:
    page = go_on(CAPTURE, "print(int(engine.telemetry.counters()['rx_packets']))", again=AGAIN)
    wait_for_rows(page, 10)
    page.page.locator(".widget-toggle-button", has_text="Pause").click()
    page.wait_until(
        """() => {
            const {end} = window.Bokeh.documents[0].get_model_by_name('window');
            if (window.endBefore !== end) [window.endBefore, window.endSince] = [end, Date.now()];
            return Date.now() - window.endSince > 3000;
        }"""
    )
    still, seen, counted = window(page), rows(page), int(page.run(1))
    assert seen["time"][-1] <= still[1]
    assert eventually(lambda: int(page.run(1)) > counted)
    assert (window(page), rows(page)) == (still, seen)
    page.save()
    page.reload()
    assert wait_for_rows(page, 10) == seen
    assert window(page) == still
    page.page.locator(".widget-toggle-button", has_text="Resume").click()
    page.wait_until(f"end => {ROWS}()[0].time.at(-1) > end", arg=seen["time"][-1])
    assert window(page)[1] > still[1]


def test_hover_tells_all_series_of_the_row_under_the_mouse(go_on: OpenNotebook) -> None:
    page = go_on(CAPTURE, "Out[1].paused = True", again=AGAIN)
    wait_for_rows(page, 50)
    page.run(1)  # or the rows move away from under the mouse
    page.page.evaluate("document.querySelector('.jp-OutputArea-output').scrollIntoView()")
    hover(page, 2, 0.95)
    tooltip = page.page.locator("table", has_text="SQPOLL thread")
    tooltip.wait_for()
    told = {
        label: number_of(value)
        for label, value in re.findall(
            r"(user|system|idle|SQPOLL thread)\s+(?:under )?([\d.]+ k?)ns", tooltip.inner_text()
        )
    }
    assert set(told) == {"user", "system", "idle", "SQPOLL thread"}
    shown = rows(page)
    # Its least and its most are told, too, where they differ.
    assert re.search(r"user\s+[\d.]+ k?ns\s+[\d.]+( k)? to [\d.]+", tooltip.inner_text())
    # Three digits are told.
    assert any(
        told["user"] == pytest.approx(user, rel=0.01)
        and told["system"] == pytest.approx(system, rel=0.01)
        for user, system in zip(shown["user"], shown["system"], strict=True)
    )


def number_of(text: str) -> float:
    number, _, letter = text.partition(" ")
    return float(number) * (1000 if letter == "k" else 1)


def test_wait_strategy_that_is_ineffective_is_marked_and_says_why(
    go_on: OpenNotebook,
) -> None:
    page = go_on(CAPTURE, "print(engine.wait, engine.wait_note)", again=AGAIN)
    wait_for_rows(page, 1)
    choose(page, "Wait", "busy-poll (ineffective here)")
    page.page.get_by_text("busy-poll is ineffective here:").wait_for()
    printed = page.run(1)
    assert printed.startswith("busy-poll ")
    note = page.page.locator(".widget-html", has_text=printed.removeprefix("busy-poll ").strip())
    note.wait_for()
    choose(page, "Wait", "poll")
    page.page.get_by_text("busy-poll is ineffective here:").wait_for(state="detached")


def test_several_engines_are_shown_with_their_own_rows(open_notebook: OpenNotebook) -> None:
    page = open_notebook(
        TWO_ENGINES,
        "[t.stop() for t in traffic]; time.sleep(0.5); [engine.stop() for engine in engines]\n"
        "print(*(int(engine.telemetry.counters()['rx_packets']) for engine in engines))",
    )
    page.run(0)
    wait_for_rows(page, 20)
    counted = [int(packets) for packets in page.run(1).split()]
    page.wait_until(f"() => {ROWS}()[0].received.at(-1) === 0")
    page.page.get_by_text("stopped").nth(1).wait_for()
    for place, packets in enumerate(counted):
        assert area(rows(page, f"rows {place}")) == pytest.approx(packets, rel=1e-3)
    for name in ("1: port0 queue 0", "2: port0 queue 0"):
        page.page.get_by_text(name).first.wait_for()


def test_worker_can_be_chosen(open_notebook: OpenNotebook) -> None:
    page = open_notebook(TWO_WORKERS)
    counted = [int(packets) for packets in page.run(0).split()]
    wait_for_rows(page, 1)
    assert area(rows(page)) == pytest.approx(sum(counted), rel=1e-3)
    for worker, packets in enumerate(counted):
        choose(page, "Worker", str(worker))
        page.wait_until(
            f"""packets => {{
                const {{time, received}} = {ROWS}()[0];
                const area = received.reduce((sum, rate) => sum + (rate || 0), 0);
                return Math.abs(area * (time[1] - time[0]) / 1000 - packets) < 1;
            }}""",
            arg=packets,
        )


@pytest.mark.parametrize("engines", ["one", "two"])
def test_dashboard_looks(
    open_notebook: OpenNotebook,
    look: Look,
    engines: str,
) -> None:
    first = {"one": CAPTURE.replace("(engine)\n", "(engine, traffic)\n"), "two": TWO_ENGINES}
    page = open_notebook(first[engines], TURNED)
    page.run(0)
    wait_for_rows(page, 10)
    if engines == "one":
        page.run(1)
    wait_for_rows(page, 50)
    page.page.evaluate("document.querySelector('.jp-OutputArea-output').scrollIntoView()")
    hover(page, 0, 0.9)
    look(page)
