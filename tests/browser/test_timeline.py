"""Marks: each change of a knob stands on every plot of time, and in the timeline."""

from __future__ import annotations

from harness.notebook_page import NotebookPage
from support.live_rows import CAPTURE, rows, wait_for_rows, window
from support.pages import Look, OpenNotebook

MARKED = CAPTURE.replace("Dashboard(engine)\n", "Dashboard(engine, traffic)\n")

TIMELINE = CAPTURE.replace("import Dashboard", "import Timeline").replace(
    "Dashboard(engine)\n", "Timeline(engine, traffic)\n"
)

TURNED = """
time.sleep(0.6)
engine.batch = 256
time.sleep(0.6)
engine.wait = "adaptive"
time.sleep(0.6)
traffic.rate = 1_000
"""

LABELS = ["batch 256", "wait adaptive", "rate 1,000"]
IN_LANES = ["256", "adaptive", "1,000"]


# A function: the labels of the first figure's marks, where there is one yet.
SHOWN = """() => Array.from(
    window.Bokeh?.documents[0]?.get_model_by_name('marks')?.data.label ?? [])"""


def wait_for_marks(page: NotebookPage, count: int) -> list[str]:
    page.wait_until(f"count => ({SHOWN})().length === count", arg=count)
    labels: list[str] = page.page.evaluate(SHOWN)
    return labels


def test_change_of_a_knob_is_a_mark_on_every_plot_at_its_time_also_after_a_reload(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(MARKED, TURNED)
    page.run(0)
    wait_for_rows(page, 1)
    page.run(1)
    assert wait_for_marks(page, 3) == LABELS
    marks, shown = rows(page, "marks"), rows(page)
    start, end = window(page)
    assert all(start <= moment <= end for moment in marks["time"])
    assert marks["time"] == sorted(marks["time"])
    assert marks["time"][0] > shown["time"][0]
    # A line on each of the six plots.
    assert (
        page.page.evaluate(
            """() => {
            const document = window.Bokeh.documents[0];
            const marks = document.get_model_by_name('marks');
            const plots = document.roots()[0].children.map(([plot]) => plot);
            return plots.filter((plot) => plot.renderers.some((renderer) =>
                renderer.data_source === marks && renderer.glyph.type === 'VSpan')).length;
        }"""
        )
        == 6
    )

    page.save()
    page.reload()
    wait_for_rows(page, 1)
    wait_for_marks(page, 3)
    assert rows(page, "marks")["time"] == marks["time"]


def test_timeline_lists_changes_and_says_when_the_engine_is_closed(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(TIMELINE, TURNED, "traffic.close(); engine.close()")
    page.run(0)
    page.page.get_by_text("no knob was turned yet").wait_for()
    page.run(1)
    assert wait_for_marks(page, 3) == IN_LANES
    for words in ("batch 64 → 256", "wait poll → adaptive", "rate 500 → 1,000"):
        page.page.get_by_text(words).wait_for()
    page.run(2)
    page.page.get_by_text("engine is closed").wait_for()
    page.save()
    page.reload()
    assert wait_for_marks(page, 3) == IN_LANES


def test_timeline_looks(open_notebook: OpenNotebook, look: Look) -> None:
    both = "from xdplab.widgets import Timeline; display(Dashboard(engine, traffic))\n"
    page = open_notebook(
        TIMELINE.replace(
            "Timeline(engine, traffic)\n", f"{both}Timeline(engine, traffic)\n"
        ).replace("import Timeline", "import Dashboard, Timeline"),
        TURNED,
    )
    page.run(0)
    page.run(1)
    page.page.get_by_text("rate 500 → 1,000").wait_for()
    page.page.evaluate(
        "[...document.querySelectorAll('.jp-OutputArea-output')].at(-1).scrollIntoView(false)"
    )
    look(page)
