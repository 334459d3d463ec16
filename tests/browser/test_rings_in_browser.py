"""The rings widget in JupyterLab: what it shows is what the worker's rings hold, step by step."""

from __future__ import annotations

import json
from typing import Any

from harness.notebook_page import NotebookPage
from playwright.sync_api import Locator, expect
from support.live_rows import SOURCES
from support.pages import Look, OpenNotebook

RINGS = """
import json, math, time
from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Rings
lab = Lab()
engine = Engine(lab.port, ring_size=16, batch=1, action="reflect").start()

def eventually(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())

def send(count):
    before = int(engine.telemetry.rings()["rx_producer"])
    with Traffic(lab.peer, lab.port, rate=5_000, count=count) as traffic:
        traffic.wait(30)
    eventually(lambda: engine.telemetry.rings()["rx_producer"] == before + count)

def received():
    "What the worker has received, in a record of a turn that began after this was asked for."
    for _ in range(2):
        now = time.monotonic_ns()
        eventually(lambda: engine.telemetry.counters()["time_ns"] > now)
    return int(engine.telemetry.counters()["rx_packets"])

rings = Rings(engine)
rings
"""

PAUSED = "engine.pace = math.inf; send(12)"

READ = """
time.sleep(0.1)
rings_now = engine.telemetry.rings()
print(json.dumps({
    ring: {
        "producer": int(rings_now[f"{ring}_producer"]),
        "consumer": int(rings_now[f"{ring}_consumer"]),
        "frames": [int(address) // 2048 for address in rings_now[ring]],
    }
    for ring in ("fill", "rx", "tx", "completion")
}))
"""

RECEIVED = "print(received())"

CENTRES = {"fill": (138, 418), "rx": (574, 418), "tx": (574, 138), "completion": (138, 138)}
HEIGHT = 556


def sources(page: NotebookPage) -> dict[str, dict[str, list[Any]]]:
    (figure,) = page.page.evaluate(SOURCES)
    return dict(figure)


def wait_for_entries(page: NotebookPage, condition: str) -> None:
    """Wait until a condition on `entries`, the columns of what is drawn, holds."""
    page.wait_until(
        f"() => {{ const entries = ({SOURCES})()[0]?.entries; return entries && ({condition}); }}"
    )


def numbers(page: NotebookPage, ring: str) -> list[str]:
    """Return the frame numbers that are drawn in a ring, by place, "" where none waits."""
    entries = sources(page)["entries"]
    columns = zip(entries["x"], entries["y"], entries["number"], strict=True)
    return [number for x, y, number in columns if (x, y) == CENTRES[ring]]


def button(page: NotebookPage, text: str) -> Locator:
    return page.page.locator(".widget-button").get_by_text(text, exact=True)


def found(page: NotebookPage, words: str) -> None:
    """Wait until the line below the drawing says so."""
    expect(page.page.get_by_text(words).first).to_be_visible()


def open_rings(open_notebook: OpenNotebook, *cells: str) -> NotebookPage:
    page = open_notebook(RINGS, *cells)
    page.run(0)
    page.hide_side_bar()
    wait_for_entries(page, "entries.x.length === 32 + 3 * 16")
    return page


def test_what_is_drawn_is_what_the_rings_hold(open_notebook: OpenNotebook) -> None:
    page = open_rings(open_notebook, PAUSED + "; engine.step(5)", READ)
    page.run(1)
    wait_for_entries(page, "entries.number.includes('4') && entries.number.includes('31')")
    held = json.loads(page.run(2))
    # The kernel may have sent a frame since: what is drawn comes to what was read.
    page.wait_until(
        f"(text) => ({SOURCES})()[0].words.text.includes(text)",
        arg=f"P {held['completion']['producer']}",
    )
    drawn = sources(page)
    for ring, seen in held.items():
        size = 32 if ring == "fill" else 16
        waiting = {
            place % size: str(seen["frames"][place % size])
            for place in range(seen["consumer"], seen["producer"])
        }
        assert numbers(page, ring) == [waiting.get(place, "") for place in range(size)]
        said = {
            text
            for x, text in zip(drawn["words"]["x"], drawn["words"]["text"], strict=True)
            if x == CENTRES[ring][0]
        }
        assert f"{len(waiting)} of {size}" in said
        assert {f"P {seen['producer']}", f"C {seen['consumer']}"} <= said


def test_step_takes_exactly_one_batch_and_ten_steps_ten(open_notebook: OpenNotebook) -> None:
    page = open_rings(open_notebook, PAUSED, RECEIVED)
    page.run(1)
    assert int(page.run(2)) == 0
    for taken in (1, 2):
        button(page, "Step").click()
        found(page, f"{taken} turns so far")
        assert int(page.run(2)) == taken
    button(page, "10 steps").click()
    found(page, "12 turns so far")
    assert int(page.run(2)) == 12


def test_pause_slow_motion_and_run_reach_the_worker(open_notebook: OpenNotebook) -> None:
    page = open_rings(open_notebook, "print(engine.pace)", "send(12); print(received())", RECEIVED)
    button(page, "Pause").click()
    found(page, "paused: a batch a step")
    assert page.run(1).strip() == "inf"
    assert int(page.run(2)) == 0
    button(page, "Slow").click()
    found(page, "slow motion: a batch every 200 ms")
    page.page.locator(".noUi-handle").focus()
    for _ in range(3):
        page.page.keyboard.press("ArrowLeft")
    found(page, "slow motion: a batch every 20 ms")
    assert page.run(1).strip() == "0.02"
    wait_for_entries(page, "entries.number.filter((number) => number !== '').length === 32")
    assert int(page.run(3)) == 12
    button(page, "Run").click()
    found(page, "running at full speed")
    assert page.run(1).strip() == "0.0"
    assert int(page.run(2)) == 24


def test_a_frame_that_was_clicked_is_followed_all_the_way_round(
    open_notebook: OpenNotebook,
) -> None:
    page = open_rings(open_notebook, PAUSED, "print(rings.frame)")
    page.run(1)
    wait_for_entries(page, "entries.number.filter((number) => number !== '').length === 32")
    found(page, "no frame is followed")
    entries = sources(page)["entries"]
    row = entries["number"].index("0")
    canvas = page.page.locator(".bk-Figure").bounding_box()
    assert canvas is not None
    page.page.mouse.click(
        canvas["x"] + entries["text_x"][row], canvas["y"] + HEIGHT - entries["text_y"][row]
    )
    found(page, "frame 0: in the RX ring, waiting for the worker, the next in line")
    assert page.run(2).strip() == "0"
    for words in (
        "frame 0: in the TX ring, waiting for the kernel to send it",
        "frame 0: in the completion ring: sent, and waiting for the worker to take it back",
        "frame 0: in the fill ring, waiting for the kernel to fill it, 20 before it",
    ):
        button(page, "Step").click()
        found(page, words)
    marked = sources(page)["followed_entry"]
    assert (marked["x"][0], marked["y"][0]) == CENTRES["fill"]
    button(page, "None").click()
    found(page, "no frame is followed")
    button(page, "Next").click()
    found(page, "frame 3: in the RX ring")
    box = page.page.get_by_placeholder("number, or click one")
    box.fill("30")
    box.press("Enter")
    found(page, "frame 30: in the fill ring")


def test_a_step_is_taken_while_a_cell_runs(open_notebook: OpenNotebook) -> None:
    # The cell ends when it has seen the step, or in the end without it.
    waits = "print(eventually(lambda: engine.telemetry.rings()['turns'] == 1))"
    page = open_rings(open_notebook, PAUSED, waits)
    page.run(1)
    page.start(2)
    button(page, "Step").click()
    page.wait_for(2)
    assert page.printed(2).strip() == "True"


def test_two_views_of_one_engine_agree_and_a_closed_engine_still_shows_its_rings(
    open_notebook: OpenNotebook,
) -> None:
    page = open_rings(open_notebook, PAUSED, "others = Rings(engine)\nothers", "engine.close()")
    page.run(1)
    page.run(2)
    page.wait_until(f"() => ({SOURCES})().length === 2")
    button(page, "Step").first.click()
    expect(page.page.get_by_text("1 turns so far")).to_have_count(2)
    page.run(3)
    expect(page.page.get_by_text("engine is closed")).to_have_count(2)
    expect(button(page, "Step").first).to_be_disabled()
    first, second = page.page.evaluate(SOURCES)
    assert first["entries"] == second["entries"]
    assert first["entries"]["number"].count("0") == 1


def test_rings_look(open_notebook: OpenNotebook, look: Look) -> None:
    page = open_rings(open_notebook, PAUSED + "; engine.step(5); rings.frame = 6")
    page.run(1)
    found(page, "frame 6: in the RX ring")
    found(page, "5 turns so far")
    page.page.locator(".jp-OutputArea-output").first.evaluate("area => area.scrollIntoView()")
    look(page)
    # On the narrow page the drawing is smaller, and nothing is beyond the edge.
    assert page.page.evaluate(
        """() => {
            const area = document.querySelector('.jp-OutputArea-output');
            const figure = document.querySelector('.bk-Figure, [class*="live"]');
            return figure.getBoundingClientRect().right <= area.getBoundingClientRect().right;
        }"""
    )
