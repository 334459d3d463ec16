"""The frame table in a real JupyterLab: rows, a click, the filter, and files that open."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from harness.notebook_page import NotebookPage
from playwright.sync_api import Locator, expect
from support.busy import BUSY, let_go
from support.pages import Look, OpenNotebook

# Pings of both versions, UDP of three sizes and what the stacks say to that.
MADE = """
import json, threading, time
from xdplab import Engine, Lab, Sampling, Traffic
from xdplab.widgets import Frames
lab = Lab()
engine = Engine(lab.port, sampling=Sampling(every=1), action="echo").start()
def some_of_each():
    lab.peer.ping(lab.port.ipv4, count=3)
    with lab.peer.socket() as udp:
        for size in (10, 100, 1000):
            udp.sendto(b"hello, " * (size // 7), (lab.port.ipv4, 4000))
some_of_each()
frames = Frames(engine)
"""
SHOW = "frames\n"
FRAMES = MADE + SHOW

STREAM = """
traffic = Traffic(lab.peer, lab.port, rate=5_000).start()
"""

MORE = """
lab.peer.ping(lab.port.ipv6, count=2)
Traffic(lab.peer, lab.port, rate=1000, count=10).start().wait(30)
"""

# What the table should show, from the engine's own samples.
SAMPLES = """
samples, _ = engine.telemetry.samples()
print(json.dumps([[int(s["length"]), int(s["queue"]), bytes(s["bytes"][:s["captured"]]).hex()]
                  for s in samples]))
"""

ROWS = """() => [...document.querySelectorAll('.xdplab-frames-table tbody tr')].map(
    (row) => [...row.cells].map((cell) => cell.textContent))"""

PUMPS_LEFT = """
import threading, time
deadline = time.monotonic() + 30
while time.monotonic() < deadline and "xdplab-pump" in {t.name for t in threading.enumerate()}:
    time.sleep(0.1)
print(sum(thread.name.startswith("xdplab-") for thread in threading.enumerate()))
"""

TIME, QUEUE, VERDICT, SOURCE, DESTINATION, PROTOCOL, LENGTH, SUMMARY = range(8)


PINGS = "icmp[icmptype] = icmp-echo"

Rows = list[list[str]]


def wait_for_rows(page: NotebookPage, condition: str, arg: Any = None) -> Rows:
    """Wait until a JavaScript expression of `rows` and `arg` holds, and return the rows."""
    page.wait_until(f"(arg) => ((rows) => {condition})(({ROWS})())", arg=arg)
    rows: Rows = page.page.evaluate(ROWS)
    return rows


def table_row(page: NotebookPage, text: str) -> Locator:
    return page.page.locator(".xdplab-frames-table tbody tr", has_text=text).first


def layer(page: NotebookPage, name: str) -> Locator:
    title = re.compile(f"^{name} [0-9,]+ byte")
    return page.page.locator(".xdplab-frames-layer", has_text=title)


def filter_box(page: NotebookPage) -> Locator:
    return page.page.locator(".xdplab-frames-filter")


def apply_filter(page: NotebookPage, text: str) -> None:
    filter_box(page).fill(text)
    filter_box(page).press("Enter")


def dumped(page: NotebookPage) -> str:
    """Return the bytes that the hex dump shows, as hexadecimal digits."""
    text = page.page.locator(".xdplab-frames-bytes").inner_text()
    lines = [line for line in text.split("\n") if line.strip()]
    return "".join(line[6:54].replace(" ", "") for line in lines)


def test_rows_are_what_the_engine_sampled(open_notebook: OpenNotebook) -> None:
    page = open_notebook(FRAMES, SAMPLES)
    page.run(0)
    wait_for_rows(page, "rows.length >= 6")
    samples = json.loads(page.run(1))
    rows = wait_for_rows(page, "rows.length >= arg", len(samples))[: len(samples)]
    assert [row[LENGTH] for row in rows] == [str(length) for length, *_ in samples]
    assert [row[QUEUE] for row in rows] == [str(queue) for _, queue, _ in samples]
    assert {"ICMP", "UDP"} <= {row[PROTOCOL] for row in rows}
    udp = [row for row in rows if row[PROTOCOL] == "UDP"]
    assert all(row[DESTINATION] == "198.18.0.1:4000" for row in udp)
    assert all(row[VERDICT] == "echo" for row in rows)
    assert [row[TIME] for row in rows] == sorted(row[TIME] for row in rows)


def test_a_click_shows_the_layers_and_the_bytes(open_notebook: OpenNotebook) -> None:
    page = open_notebook(FRAMES, SAMPLES)
    page.run(0)
    wait_for_rows(page, "rows.length >= 6")
    (long,) = [data for length, _, data in json.loads(page.run(1)) if length > 1000]
    table_row(page, "1036").click()
    layers = page.page.locator(".xdplab-frames-layers")
    layer(page, "Ethernet").wait_for()
    assert dumped(page) == long
    page.page.get_by_text("the first 256 of 1,036 bytes").wait_for()
    assert "dport4000" in layers.inner_text().replace("\t", "").replace(" ", "")
    # The bytes of the layer that is clicked light up: an IPv4 header has 20.
    layer(page, "IP").click()
    lit = page.page.locator(".xdplab-frames-bytes .xdplab-frames-lit").all_inner_texts()
    assert "".join(text for text in lit if len(text) == 2) == long[28:68]
    assert sum(len(text) == 1 for text in lit) == 20
    # Other frames take its place, by the arrow keys too.
    page.page.locator(".xdplab-frames-scroller").press("ArrowUp")
    page.page.get_by_text("the first 256 of").wait_for(state="detached")
    assert dumped(page) != long
    page.page.get_by_role("button", name="✕").click()
    page.page.locator(".xdplab-frames-details").wait_for(state="hidden")


def test_filter_and_pause_hold_in_every_view(open_notebook: OpenNotebook) -> None:
    page = open_notebook(FRAMES, "display(frames)", "frames.filter = ''; some_of_each()")
    page.run(0)
    before = wait_for_rows(page, "rows.length >= 6")
    page.save()
    second = open_notebook()
    wait_for_rows(second, "rows.length >= 6")

    apply_filter(page, PINGS)
    for each in (page, second):
        rows = wait_for_rows(each, "rows.length === 3")
        assert {row[PROTOCOL] for row in rows} == {"ICMP"}
    assert filter_box(second).input_value() == PINGS
    apply_filter(page, "icmp or or udp")
    for each in (page, second):
        refused = each.page.get_by_role("alert").filter(has_text="syntax error")
        expect(refused).to_contain_text(f"Shown is still what passes '{PINGS}'.")
        assert filter_box(each).input_value() == "icmp or or udp"
        wait_for_rows(each, "rows.length === 3")
    apply_filter(second, "tcp port 1234")
    for each in (page, second):
        hint = each.page.get_by_text(
            "No frame passes the filter. Its syntax is tcpdump's: port 1234,"
        )
        hint.wait_for()
        expect(each.page.get_by_text("syntax error")).to_have_count(0)

    second.page.get_by_role("button", name="Pause", exact=True).click()
    page.page.get_by_role("button", name="Resume", exact=True).wait_for()
    page.run(2)  # takes the filter away, and makes new frames
    held = wait_for_rows(second, "rows.length > 0")
    assert len(held) >= len(before)
    page.page.get_by_role("button", name="Resume", exact=True).click()
    for each in (page, second):
        wait_for_rows(each, "rows.length >= arg", len(held) + 6)


def test_what_is_saved_opens_in_tshark(open_notebook: OpenNotebook) -> None:
    page = open_notebook(FRAMES, SAMPLES)
    page.run(0)
    wait_for_rows(page, "rows.length >= 6")
    apply_filter(page, PINGS)
    wait_for_rows(page, "rows.length === 3")
    page.page.locator(".widget-text input").fill("pings.pcapng")
    page.page.locator(".widget-text input").press("Enter")
    page.page.locator(".widget-button", has_text="Save").click()
    place = page.path.parent / "pings.pcapng"
    page.page.get_by_text(f"3 frames in {place}").wait_for()
    samples = [data for _, _, data in json.loads(page.run(1)) if data[46:48] == "01"]
    printed = subprocess.check_output(("tshark", "-r", place, "-n", "-T", "json", "-x"), text=True)
    read = [each["_source"]["layers"]["frame_raw"][0] for each in json.loads(printed)]
    assert len(read) == 3
    assert set(read) <= set(samples)

    page.page.locator(".widget-dropdown select").select_option("history, 82 s")
    page.page.locator(".widget-text input").fill("history.csv")
    page.page.locator(".widget-text input").press("Enter")
    page.page.locator(".widget-button", has_text="Save").click()
    page.page.get_by_text("records in").wait_for()
    assert (page.path.parent / "history.csv").read_text().startswith("worker,realtime_ns,")
    page.page.locator(".widget-text input").fill("no/folder.csv")
    page.page.locator(".widget-text input").press("Enter")
    page.page.locator(".widget-button", has_text="Save").click()
    page.page.get_by_text("ENOENT").wait_for()


def test_reload_brings_the_rows_back_and_only_their_picture_is_saved(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(FRAMES)
    page.run(0)
    before = wait_for_rows(page, "rows.length >= 6")
    page.save()
    saved = json.loads(page.path.read_text())
    assert "widgets" not in saved["metadata"]  # the live state
    (view, picture) = saved["cells"][0]["outputs"]
    assert "198.18.0.2" not in json.dumps(view)
    assert "".join(picture["data"]["text/html"]).count("<tr>") == 1 + len(before)
    page.reload()
    after = wait_for_rows(page, "rows.length >= arg", len(before))
    assert after[: len(before)] == before


def test_rows_stream_while_a_cell_is_busy_and_older_ones_stay_in_sight(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(MADE + STREAM + SHOW, BUSY, "traffic.stop()")
    page.run(0)
    wait_for_rows(page, "rows.length >= 6")
    page.start(1)
    first = wait_for_rows(page, "rows.length > 100")
    later = wait_for_rows(page, "rows.at(-1)[0] !== arg", first[-1][TIME])
    assert later[-1][TIME] > first[-1][TIME]
    page.page.get_by_text("more came than are shown").wait_for()
    # At the end it follows, elsewhere it stays.
    scroller = page.page.locator(".xdplab-frames-scroller")
    at_the_end = "(e) => e.scrollHeight - e.scrollTop - e.clientHeight < 8"
    assert scroller.evaluate(at_the_end)
    scroller.evaluate("(e) => { e.scrollTop = 0; }")
    page.page.get_by_text("↓ newest").wait_for()
    wait_for_rows(page, "rows.at(-1)[0] !== arg", later[-1][TIME])
    assert not scroller.evaluate(at_the_end)
    page.page.get_by_text("↓ newest").click()
    page.page.get_by_text("↓ newest").wait_for(state="hidden")
    assert scroller.evaluate(at_the_end)
    let_go(page, 1)
    page.run(2)


def test_no_thread_is_left_when_the_output_is_closed(open_notebook: OpenNotebook) -> None:
    page = open_notebook(FRAMES, PUMPS_LEFT)
    page.run(0)
    wait_for_rows(page, "rows.length >= 6")
    page.clear_output(0)
    assert int(page.run(1)) == 0


def test_closed_engine_is_told_and_its_frames_can_still_be_taken_apart(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(FRAMES, "engine.close()")
    page.run(0)
    wait_for_rows(page, "rows.length >= 6")
    page.run(1)
    page.page.get_by_text("engine is closed").wait_for()
    table_row(page, "ICMP").click()
    layer(page, "Ethernet").wait_for()


def test_frames_look(open_notebook: OpenNotebook, look: Look) -> None:
    page = open_notebook(MADE + MORE, SHOW)
    page.run(0)
    page.run(1)
    wait_for_rows(page, "rows.length >= 12")
    table_row(page, "1036").click()
    layer(page, "IP").click()
    layer(page, "IP").click()  # folds and unfolds it
    apply_filter(page, "icmp or udp or")
    page.page.get_by_text("syntax error").wait_for()
    look(page)
