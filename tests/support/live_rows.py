"""What the browser tests of live figures share: a capture, and the rows that a page shows."""

from __future__ import annotations

from harness.notebook_page import NotebookPage

# 500 packets a second are enough to see, and cost a machine that tests little.
CAPTURE = """
import json, threading, time
from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Dashboard
lab = Lab()
engine = Engine(lab.port).start()
traffic = Traffic(lab.peer, lab.port, rate=500).start()
Dashboard(engine)
"""

# Stops the traffic, and waits until the worker has published that it received all.
STOPPED = """
traffic.stop()
deadline = time.monotonic() + 30
while engine.telemetry.counters()["rx_packets"] < traffic.sent and time.monotonic() < deadline:
    time.sleep(0.05)
"""

# Waits for a record of a turn that began, and so read the knobs, from now on.
FRESH = """
def fresh(engine):
    deadline = time.monotonic() + 30
    now = time.monotonic_ns()
    for _ in range(2):
        while engine.telemetry.counters()["time_ns"] <= now and time.monotonic() < deadline:
            time.sleep(0.01)
        now = int(engine.telemetry.counters()["time_ns"])
    return engine.telemetry.counters()
"""

# Of each figure in the page: the columns of its sources by their names.
SOURCES = """() => (window.Bokeh?.documents ?? []).map((document) => Object.fromEntries(
    [...document.roots()[0].references()]
        .filter((model) => model.type === 'ColumnDataSource' && model.name)
        .map(({name, data}) => [name, Object.fromEntries(
            Object.entries(data).map(([name, column]) => [name, Array.from(column)]))])))"""

# A function, of the dashboards in the page: the rows of their first engine.
ROWS = f"(() => ({SOURCES})().map((sources) => sources['rows 0']).filter(Boolean))"

Rows = dict[str, list[float]]


def rows(page: NotebookPage, name: str = "rows 0") -> Rows:
    """Return the columns of a source of the one live figure in the page."""
    (sources,) = page.page.evaluate(SOURCES)
    return sources[name]


def wait_for_rows(page: NotebookPage, count: int) -> Rows:
    """Wait until the figure has `count` rows with packets in them."""
    page.wait_until(
        f"(count) => {ROWS}()[0]?.received.filter((rate) => rate > 0).length >= count",
        arg=count,
        timeout=30_000,
    )
    return rows(page)


def window(page: NotebookPage) -> tuple[float, float]:
    """Return what stretch of time the one live figure shows, in milliseconds."""
    start, end = page.page.evaluate(
        """() => {
            const {start, end} = window.Bokeh.documents[0].get_model_by_name('window');
            return [start, end];
        }"""
    )
    return start, end
