"""The dashboard in a real JupyterLab: what it shows, what its controls do, and when."""

from __future__ import annotations

import json

import pytest
from harness.notebook_page import NotebookPage
from playwright.sync_api import Locator, expect
from support.busy import BUSY, let_go
from support.controls import box
from support.live_rows import CAPTURE, FRESH, ROWS, STOPPED, Rows, rows, wait_for_rows
from support.pages import OpenNotebook

USED = f"""{BUSY}
{FRESH}
used = fresh(engine)
print(json.dumps([engine.batch, int(used["control_batch"]), engine.wait]))
"""

STOP = f"""
{STOPPED}
print(int(engine.telemetry.counters()["rx_packets"]))
"""

PUMPS = "print(sum(thread.name == 'xdplab-pump' for thread in threading.enumerate()))"

# Prints in the end, whatever comes of it: how long it takes is not what is tested.
PUMPS_LEFT = """
import threading, time
deadline = time.monotonic() + 30
while time.monotonic() < deadline and "xdplab-pump" in {t.name for t in threading.enumerate()}:
    time.sleep(0.1)
print(sum(thread.name == "xdplab-pump" for thread in threading.enumerate()))
"""

BROKEN = """
from xdplab.widgets import LiveFigure
from xdplab.widgets.dashboard.figure import dashboard_figure
def feed(position):
    raise RuntimeError("the feed ran dry")
LiveFigure(dashboard_figure([""]), {"rows 0": feed}, rollover=10)
"""

# What a test leaves of a capture, so that the next can go on with it.
AGAIN = """
engine.batch, engine.wait = 64, "poll"
if not engine.running:
    engine.start()
if not traffic.running:
    traffic.start()
"""


# The first menu.
WAIT = ".widget-dropdown select"


def button(page: NotebookPage, text: str) -> Locator:
    return page.page.locator(".widget-button", has_text=text)


def move_slider(page: NotebookPage, key: str = "ArrowRight", presses: int = 2) -> None:
    page.page.locator(".noUi-handle").focus()
    for _ in range(presses):
        page.page.keyboard.press(key)


def wait_for_later_rows(page: NotebookPage, first: Rows) -> None:
    """Wait until a second more is shown than there was."""
    page.wait_until(f"end => {ROWS}()[0].time.at(-1) > end + 1000", arg=first["time"][-1])


def test_area_under_the_curve_is_what_the_engine_counted(open_notebook: OpenNotebook) -> None:
    page = open_notebook(CAPTURE, STOP)
    page.run(0)
    first = wait_for_rows(page, 3)
    wait_for_later_rows(page, first)

    counted = int(page.run(1))
    page.wait_until(f"() => {ROWS}()[0].received.at(-1) === 0")
    shown = rows(page)
    seconds = (shown["time"][1] - shown["time"][0]) / 1000
    area = sum(rate * seconds for rate in shown["received"])
    assert area == pytest.approx(counted, rel=1e-3)


def wait_for_marks(page: NotebookPage, *labels: str) -> None:
    """Wait until the figure has these marks: the engine's journal has the changes, then."""
    page.wait_until(
        """labels => {
            const marks = window.Bokeh.documents[0].get_model_by_name('marks');
            return labels.every((label) => marks.data.label.includes(label));
        }""",
        arg=list(labels),
    )


def used(page: NotebookPage, cell: int) -> list[int | str]:
    """End a busy cell, and return the batch size, the worker's, and the wait strategy."""
    answer: list[int | str] = json.loads(let_go(page, cell))
    return answer


def test_plot_and_controls_move_while_the_first_cell_after_it_is_busy(
    go_on: OpenNotebook,
) -> None:
    page = go_on(CAPTURE, USED, USED, again=AGAIN)
    wait_for_rows(page, 1)
    for cell, wait, batch in ((1, "spin", 256), (2, "poll", 1024)):
        page.start(cell)
        before = rows(page)
        move_slider(page)
        page.page.locator(WAIT).first.select_option(wait)
        wait_for_marks(page, f"batch {batch:,}", f"wait {wait}")
        wait_for_later_rows(page, before)
        assert used(page, cell) == [batch, batch, wait]


def test_control_follows_a_knob_that_a_cell_turned_and_still_works_in_the_next_busy_cell(
    go_on: OpenNotebook,
) -> None:
    page = go_on(CAPTURE, "engine.batch = 100; engine.wait = 'uring-multishot'", USED, again=AGAIN)
    wait_for_rows(page, 1)
    page.run(1)
    expect(box(page, "Batch")).to_have_value("100")
    page.wait_until(f"document.querySelector('{WAIT}').value === 'uring-multishot'")
    page.start(2)
    move_slider(page, "ArrowRight", 1)  # 100 has a place between 64 and 128
    wait_for_marks(page, "batch 128")
    assert used(page, 2) == [128, 128, "uring-multishot"]


@pytest.mark.parametrize(("key", "batch"), [("Home", 1), ("End", 2048)])
def test_slider_reaches_both_ends(go_on: OpenNotebook, key: str, batch: int) -> None:
    page = go_on(CAPTURE, "print(engine.batch)", again=AGAIN)
    wait_for_rows(page, 1)
    move_slider(page, key, 1)
    expect(box(page, "Batch")).to_have_value(f"{batch:,}")
    assert int(page.run(1)) == batch


def test_button_stops_and_starts_the_worker(go_on: OpenNotebook) -> None:
    page = go_on(CAPTURE, "print(engine.running)", again=AGAIN)
    wait_for_rows(page, 1)
    button(page, "Stop").click()
    button(page, "Start").wait_for()
    assert page.run(1).strip() == "False"
    button(page, "Start").click()
    button(page, "Stop").wait_for()
    assert page.run(1).strip() == "True"


def test_saved_notebook_holds_a_picture_and_no_figure(go_on: OpenNotebook) -> None:
    page = go_on(CAPTURE, again=AGAIN)
    wait_for_rows(page, 20)
    page.save()
    saved = page.path.read_text()
    assert len(saved) < 200_000
    assert "Bokeh" not in saved
    outputs = json.loads(saved)["cells"][0]["outputs"]
    texts = ["".join(output["data"]["text/plain"]) for output in outputs]
    assert any(text.startswith("<Dashboard: port0 queue 0, running") for text in texts)


def test_reload_brings_back_the_history(go_on: OpenNotebook) -> None:
    page = go_on(CAPTURE, again=AGAIN)
    before = wait_for_rows(page, 30)
    page.save()
    page.reload()
    wait_for_rows(page, 1)
    page.wait_until(f"end => {ROWS}()[0].time.at(-1) > end", arg=before["time"][-1])
    after = rows(page)
    seen = dict(zip(after["time"], after["received"], strict=True))
    assert all(
        seen[moment] == pytest.approx(rate, nan_ok=True)  # none while it was stopped
        for moment, rate in zip(before["time"], before["received"], strict=True)
        if moment in seen or moment > after["time"][0]
    )


def test_figure_whose_feed_fails_says_so_and_the_others_go_on(go_on: OpenNotebook) -> None:
    page = go_on(CAPTURE, BROKEN, again=AGAIN)
    before = wait_for_rows(page, 1)
    page.run(1)
    page.page.get_by_text("This figure stands still: RuntimeError: the feed ran dry").wait_for()
    page.wait_until(
        f"(end) => {ROWS}().some(({{time}}) => time.at(-1) > end + 5000)",
        arg=before["time"][-1],
    )


def test_plot_moves_while_the_very_cell_that_shows_it_is_busy(open_notebook: OpenNotebook) -> None:
    page = open_notebook(CAPTURE.replace("Dashboard(engine)", "display(Dashboard(engine))") + USED)
    page.start(0)
    first = wait_for_rows(page, 3)
    move_slider(page)
    wait_for_marks(page, "batch 256")
    wait_for_later_rows(page, first)
    assert used(page, 0) == [256, 256, "poll"]


def test_second_browser_sees_the_same_rows(open_notebook: OpenNotebook) -> None:
    page = open_notebook(CAPTURE)
    page.run(0)
    wait_for_rows(page, 5)
    page.save()
    second = open_notebook()
    both = wait_for_rows(second, 10), wait_for_rows(page, 10)
    assert set(both[0]["time"]) & set(both[1]["time"])


def test_two_dashboards_share_a_page(open_notebook: OpenNotebook) -> None:
    one = CAPTURE.replace("Dashboard(engine)", "first = (engine, traffic, Dashboard(engine))")
    page = open_notebook(one + CAPTURE + "display(first[-1], Dashboard(engine))")
    page.run(0)
    page.wait_until(f"() => {ROWS}().filter(({{received}}) => received.at(-1) > 0).length === 2")


def test_no_pump_is_left_when_the_output_is_closed(open_notebook: OpenNotebook) -> None:
    page = open_notebook(CAPTURE, PUMPS, PUMPS_LEFT)
    page.run(0)
    wait_for_rows(page, 1)
    assert int(page.run(1)) == 1
    page.clear_output(0)
    assert int(page.run(2)) == 0


def test_view_that_vanished_without_a_word_is_forgotten(open_notebook: OpenNotebook) -> None:
    later = "from xdplab.widgets.live import viewed\nusual = viewed.FORGET_AFTER\n"
    page = open_notebook(
        CAPTURE,
        f"{later}viewed.FORGET_AFTER = 600",  # opening a page may take long
        PUMPS,
        f"viewed.FORGET_AFTER = usual\n{PUMPS_LEFT}",
    )
    page.run(0)
    wait_for_rows(page, 1)
    page.run(1)
    page.close()
    page = open_notebook()  # where the dashboard is not shown, since nothing was saved
    assert int(page.run(2)) == 1
    assert int(page.run(3)) == 0


def test_dashboard_survives_a_kernel_restart_and_starts_again(open_notebook: OpenNotebook) -> None:
    page = open_notebook(CAPTURE, PUMPS_LEFT)
    page.run(0)
    wait_for_rows(page, 1)
    page.restart_kernel()
    assert int(page.run(1)) == 0
    page.run(0)
    wait_for_rows(page, 5)


def test_status_says_that_the_engine_is_closed_and_the_history_stays(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(CAPTURE, "traffic.close(); engine.close()")
    page.run(0)
    wait_for_rows(page, 10)
    page.run(1)
    page.page.get_by_text("engine is closed").wait_for()
    assert button(page, "Start").is_disabled()
    page.save()
    page.reload()
    wait_for_rows(page, 10)


def test_status_says_why_the_engine_ended(open_notebook: OpenNotebook) -> None:
    page = open_notebook(CAPTURE, "lab.close()")
    page.run(0)
    wait_for_rows(page, 1)
    page.run(1)
    page.page.get_by_text("ended:").wait_for()
