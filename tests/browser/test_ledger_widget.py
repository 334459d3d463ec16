"""The ledger widget in a real JupyterLab: losses provoked for real branch off with their reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness.notebook_page import NotebookPage
from support.pages import Look, OpenNotebook

# A worker that is held back, with a tiny ring: most of what comes is lost.
LOSE = """
import json, time
from xdplab import Engine, Lab, Traffic
from xdplab.widgets import LedgerView
lab = Lab()
engine = Engine(lab.port, ring_size=64).start()
engine.pace = 0.01
traffic = Traffic(lab.peer, lab.port, rate=20_000, seconds=2)
shown = LedgerView(engine, traffic)
shown
"""

SEND = "traffic.start(); ended = traffic.wait(30)"

# The worker takes what waits in its ring, and then no count changes any more.
SETTLE = """
engine.pace = 0
account, deadline = shown.account, time.monotonic() + 30
while time.monotonic() < deadline and (
    account.situation.flowing or account.packets("waiting in the RX ring") or not account.balanced
):
    time.sleep(0.1)
    account = shown.account
print(json.dumps(account.as_list()))
"""

SOURCES = """() => {
    const models = (window.Bokeh?.documents ?? []).flatMap((document) =>
        [...document.roots()[0].references()]);
    return Object.fromEntries(models.filter(({type, name}) => type === 'ColumnDataSource' && name)
        .map(({name, data}) => [name, Object.fromEntries(
            Object.entries(data).map(([column, values]) => [column, Array.from(values)]))]));
}"""


def sources(page: NotebookPage) -> dict[str, dict[str, list[Any]]]:
    """Return what the figure's sources hold, by their names."""
    found: dict[str, dict[str, list[Any]]] = page.page.evaluate(SOURCES)
    return found


def wait_for_text(page: NotebookPage, source: str, text: str) -> None:
    """Wait until the figure says something, beside what leaves or above a counting point."""
    page.wait_until(
        f"([source, text]) => ({SOURCES})()[source]?.text.some("
        "(words) => words.replaceAll('\\n', ' ').includes(text))",
        arg=[source, text],
    )


def wait_for_words(page: NotebookPage, words: str) -> None:
    page.page.get_by_text(words).first.wait_for()


def test_losses_branch_off_with_their_reason_and_the_figures_are_the_books(
    open_notebook: OpenNotebook,
) -> None:
    page = open_notebook(LOSE, SEND, SETTLE)
    page.run(0)
    wait_for_words(page, "the generator has sent none since the ledger began")
    page.run(1)
    wait_for_text(page, "out words", "lost: RX ring full")
    lines = {line["stage"]: line["packets"] for line in json.loads(page.run(2))}
    assert lines["RX ring full"] > 0
    assert lines["unaccounted"] == 0
    share = 100 * lines["RX ring full"] / lines["sent by the generator"]
    said = f"lost: RX ring full {lines['RX ring full']:,} ({share:.1f} %)"
    wait_for_text(page, "out words", said)
    for point in ("sent by the generator", "seen by the device", "received by the worker"):
        wait_for_text(page, "counting point words", f"{point} {lines[point]:,}")
    wait_for_words(page, "settled: every packet accounted for")
    wait_for_words(page, "engine.pace = 0 lets it run as fast as packets come")
    # In the figure the loss takes the share of the stream that it has of the packets.
    shown = sources(page)
    stream, lost = shown["stream"]["y"], shown["lost"]["y"]
    assert (lost[-2] - lost[0]) / max(stream) == pytest.approx(-share / 100, abs=0.02)


def test_begin_anew_counts_from_now_on(open_notebook: OpenNotebook) -> None:
    page = open_notebook(LOSE, SEND, SETTLE, "engine.pace = 0")
    page.run(0)
    page.run(1)
    lines = json.loads(page.run(2))
    wait_for_text(page, "counting point words", f"sent by the generator {lines[0]['packets']:,}")
    page.page.locator(".jupyter-button", has_text="Begin anew").click()
    wait_for_text(page, "counting point words", "sent by the generator 0")
    page.run(1)
    again = json.loads(page.run(2))
    wait_for_text(page, "counting point words", f"received by the worker {again[-2]['packets']:,}")


def test_what_is_sent_back_is_followed_to_the_far_end(open_notebook: OpenNotebook) -> None:
    page = open_notebook(
        "from xdplab import Engine, Lab, Traffic\n"
        "from xdplab.widgets import LedgerView\n"
        "lab = Lab()\n"
        "engine = Engine(lab.port, action='reflect', ring_size=32768).start()\n"
        "traffic = Traffic(lab.peer, lab.port, rate=10_000, count=5000)\n"
        "book = engine.ledger(traffic)\n"
        "done = traffic.start().wait(30)\n"
        "LedgerView(book)",
        "engine.close()",
    )
    page.run(0)
    for point in ("sent by the generator", "handed to the TX ring", "received at the far end"):
        wait_for_text(page, "counting point words", f"{point} 5,000")
    wait_for_words(page, "Every packet arrived.")
    page.run(1)
    wait_for_words(page, "engine is closed")
    page.save()
    page.reload()
    wait_for_text(page, "counting point words", "received at the far end 5,000")


@pytest.mark.parametrize("action", ["drop", "reflect"])
def test_ledger_looks(open_notebook: OpenNotebook, look: Look, action: str) -> None:
    cell = LOSE.replace("ring_size=64", f"ring_size=64, action='{action}'")
    cell += "done = lab.peer.ping(lab.port.ipv4, count=3)\n" + SEND + "\nshown"
    page = open_notebook(cell)
    page.run(0)
    wait_for_text(page, "out words", "lost: RX ring full")
    look(page)
