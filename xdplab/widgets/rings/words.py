"""The texts of the rings widget: a ring's purpose, a frame's place, and the UMEM's frames."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping

from xdplab.core.text import seconds
from xdplab.widgets.rings.state import CONSUMERS, PRODUCERS, Home, RingName, RingState, Side
from xdplab.widgets.style.palette import BLUE, ORANGE, YELLOW

COLORS: Mapping[Side, str] = {"kernel": ORANGE, "worker": BLUE}
INKS: Mapping[Side, str] = {"kernel": "#000000", "worker": "#ffffff"}
"""The text on each of those colours."""

OUTLINE = (("#000000", 7), ("#ffffff", 3))
"""Colour and width of the lines around the followed frame, one on the other: one of the two differs
from whatever is beside it, in a light page and in a dark one, and for the colour-blind."""

NAMES: Mapping[RingName, str] = {"fill": "Fill", "rx": "RX", "tx": "TX", "completion": "Completion"}

HANDS_NAMES: Mapping[Home, str] = {
    "filling": "kernel receives",
    "worker": "worker",
    "sending": "kernel sends",
}

_PURPOSES: Mapping[RingName, str] = {
    "fill": "Empty frames: &ldquo;put what arrives in here.&rdquo;",
    "rx": "Frames that arrived: &ldquo;this came for you.&rdquo;",
    "tx": "Frames to send: &ldquo;send these, in this order.&rdquo;",
    "completion": "Frames that were sent: &ldquo;you may have these back.&rdquo;",
}

_WHERE: Mapping[Home, str] = {
    "fill": "in the fill ring, waiting for the kernel to fill it",
    "filling": "in the kernel's hands, to be filled",
    "rx": "in the RX ring, waiting for the worker",
    "worker": "with the worker",
    "tx": "in the TX ring, waiting for the kernel to send it",
    "sending": "in the kernel's hands, being sent",
    "completion": "in the completion ring: sent, and waiting for the worker to take it back",
}

_COUNTED: Mapping[Home, str] = {
    "fill": "in fill",
    "filling": "being filled",
    "rx": "in RX",
    "worker": "with the worker",
    "tx": "in TX",
    "sending": "being sent",
    "completion": "in completion",
}


def pace_words(pace: float) -> str:
    """Return the pace of a running worker in words."""
    if pace == 0:
        return "running at full speed"
    if pace == math.inf:
        return "paused: a batch a step"
    return f"slow motion: a batch every {seconds(pace)}"


def lost_words(state: RingState, lost: int) -> list[str]:
    """Return a note on losses because the RX ring is full, or nothing."""
    ring = state.rings["rx"]
    if ring.waiting < ring.size:
        return []
    return [f"the RX ring is full: what comes now is lost, {lost:,} frames by now"]


def frame_words(state: RingState | None, frame: int | None, pace: float) -> str:
    """Return a frame's place in words, or why it is unknown."""
    if frame is None:
        return "no frame is followed: click one while the worker is paced, or press Next"
    start = f"frame {frame}:"
    if state is None:
        return f"{start} nothing is known before the engine has run"
    if frame not in state.frames:
        return f"{start} not this worker's, whose are {state.frames[0]} to {state.frames[-1]}"
    if not state.shows_entries:
        return f"{start} too quick to be followed; " + (
            "slow the worker down, or pause it"
            if pace == 0
            else "make the rings smaller: Engine(ring_size=32)"
        )
    home = state.home_of(frame)
    if home is None:  # ruled out above
        return start
    words = f"{start} {_WHERE[home]}"
    if home in state.rings:
        before = state.rings[home].line().index(frame)
        words += f", {before} before it" if before else ", the next in line"
    return words


def count_words(state: RingState) -> str:
    """Return the numbers of the UMEM's frames at each place; they add up."""
    parts = [f"{count:,} {_COUNTED[home]}" for home, count in state.counts().items()]
    return f"{len(state.frames):,} frames = {' + '.join(parts)}"


def legend_html() -> str:
    """Return the drawing's legend, for a first-time user."""
    rows = "".join(
        f'<tr><td style="padding: 3px 10px 3px 0; white-space: nowrap"><b>{NAMES[name]}</b><br>'
        f'<span style="opacity: 0.75">{PRODUCERS[name]} &rarr; {CONSUMERS[name]}</span></td>'
        f'<td style="padding: 3px 0">{purpose}</td></tr>'
        for name, purpose in _PURPOSES.items()
    )
    kernel, worker = COLORS["kernel"], COLORS["worker"]
    signs = [
        (
            _box(kernel) + _box(worker),
            "an entry that waits, in its owner's colour: the kernel's or "
            "the worker's turn to read it",
        ),
        (_box(kernel, 0.2) + _box(worker, 0.2), "a free place, likewise: its owner may write it"),
        (_pin("P"), "the producer, at the place that it writes next"),
        (_pin("C"), "the consumer, at the place that it reads next"),
        (_outline(), "the frame that is followed: a black and white outline"),
        (_lamp(), "the kernel sleeps on this ring, and needs a system call to go on"),
    ]
    lines = "".join(
        '<tr><td style="padding: 3px 10px 3px 0; white-space: nowrap; text-align: center">'
        f'{sign}</td><td style="padding: 3px 0">{meaning}</td></tr>'
        for sign, meaning in signs
    )
    style = "font-size: 13px; line-height: 1.35; border-collapse: collapse"
    return (
        f'<table style="{style}">{rows}'
        '<tr><td colspan="2" style="height: 8px"></td></tr>'
        f"{lines}</table>"
    )


def plain_html(text: str, *, strong: bool = False) -> str:
    """Return a line of text."""
    weight = "600" if strong else "400"
    return (
        f'<div style="line-height: 1.5; padding-left: 4px; font-weight: {weight};'
        f' font-variant-numeric: tabular-nums">{html.escape(text)}</div>'
    )


def _box(color: str, alpha: float = 1) -> str:
    return (
        '<span style="display: inline-block; width: 13px; height: 13px; margin: 0 1px;'
        f' vertical-align: -2px; background: {color}; opacity: {alpha}"></span>'
    )


def _outline() -> str:
    return (
        '<span style="display: inline-block; width: 10px; height: 14px; vertical-align: -2px;'
        " margin: 2px; border: 2px solid #ffffff; box-shadow: 0 0 0 2px #000000,"
        ' inset 0 0 0 2px #000000"></span>'
    )


def _pin(letter: str) -> str:
    return (
        '<span style="display: inline-block; width: 16px; height: 16px; line-height: 16px;'
        " border-radius: 8px; border: 1px solid; text-align: center; font-size: 11px;"
        f' font-weight: 600">{letter}</span>'
    )


def _lamp() -> str:
    return (
        '<span style="display: inline-block; width: 11px; height: 11px; border-radius: 6px;'
        f' border: 1px solid; background: {YELLOW}"></span>'
    )
