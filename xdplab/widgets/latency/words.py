"""The latency widget's texts: what is measured, or why nothing is."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

from xdplab.core.text import duration, three_digits
from xdplab.knobs.journal import Change
from xdplab.widgets.latency.shape import Shape
from xdplab.widgets.style.palette import BLUE, ORANGE

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine

_NO_MATTER = ("inspect", "sample_every")  # which frames are measured, not how long they take


def ratio(now: float, before: float) -> str:
    """Return the ratio `now` / `before` in words, or a dash if it has no meaning."""
    if isnan(now) or isnan(before) or not before:
        return "-"
    return f"{three_digits(now / before)} x"


def settings(engine: Engine) -> str:
    """Return the settings that label a measurement: "poll, batch 64"."""
    sends = engine.action == "generate"
    rate = f", {engine.stream_rate:,.6g} a second" if sends and engine.stream_rate != "max" else ""
    paced = f", paced {engine.pace:g} s" if engine.pace else ""
    return f"{engine.way}, batch {engine.batch}{rate}{paced}"


def measures(engine: Engine) -> str:
    """Return in words from which moment to which an engine measures."""
    return (
        "round trip, from our own frame's timestamp to its return"
        if engine.action == "generate"
        else "one way, from the generator's timestamp to the worker"
    )


def looked_at(engine: Engine, since_ns: int | None = None) -> str:
    """Return in words which of the packets are measured, now or since a time."""
    knobs: dict[str, Any] = {name: getattr(engine, name) for name in _NO_MATTER}
    ways = [_part(**knobs)]
    for change in reversed(engine.journal.changes if since_ns is not None else ()):
        if change.time_ns > (since_ns or 0) and change.knob in knobs:
            knobs[change.knob] = change.before
            ways.append(_part(**knobs))
    now, first = ways[0], ways[-1]
    if now != first:
        return f"at first {first}, now {now}"
    other = next((way for way in ways if way != now), "")
    return f"{now}, in between {other}" if other else now


def _part(inspect: bool, sample_every: int) -> str:
    if inspect or sample_every == 1:
        return "every packet"
    return f"1 packet in {sample_every:,}" if sample_every else "no packet"


def why_nothing(engine: Engine, received: int) -> str:
    """Return why no frame was measured, and which knob to turn.

    Parameters
    ----------
    engine
        Open.
    received
        Packets received in the same time.
    """
    if not engine.running:
        return "The worker is stopped: engine.start()."
    if not engine.inspect and not engine.sample_every:
        return (
            "No packet is looked at: inspect is off and sample_every is 0. "
            "engine.inspect = True measures each of them, engine.sample_every = 1000 one in 1000."
        )
    generates = engine.action == "generate"
    if not received:
        return (
            "None of its frames has come back: is the far end up and sending them back, as "
            "Engine(lab.port, action='reflect') does?"
            if generates
            else "No packet has come. Start a generator: Traffic(lab.peer, lab.port).start()."
        )
    if not engine.inspect:
        return (
            f"{received:,} packets came, and {looked_at(engine)} is looked at, none of our "
            "generators' so far: engine.inspect = True measures each of them."
        )
    return (
        f"{received:,} packets came, none of them our generators'. Only theirs carry the time "
        "at which they were made: Traffic(lab.peer, lab.port), or Engine(stream=...)."
    )


def mixed(changes: Iterable[Change], since_ns: int) -> str:
    """Return the knobs that were turned since the measurement began, or an empty text."""
    turned = [c for c in changes if c.time_ns > since_ns and c.knob not in _NO_MATTER]
    if not turned:
        return ""
    first: dict[str, object] = {}
    for change in turned:
        first.setdefault(change.knob, change.before)
    last = {change.knob: change.after for change in turned}
    moves = [f"{knob} {first[knob]} → {last[knob]}" for knob in first if first[knob] != last[knob]]
    return f"mixed, since knobs were turned ({', '.join(moves)}): Reset begins anew" * bool(moves)


def figures(percentiles: Mapping[str, float]) -> str:
    """Return the percentiles in one line."""
    return ", ".join(f"{name} {duration(ns)}" for name, ns in percentiles.items())


def table_html(live: Shape, frozen: Shape | None, label: str) -> str:
    """Return the percentiles as a table, with the frozen ones beside them and how they compare.

    Parameters
    ----------
    live, frozen
        The histograms shown.
    label
        The label of the frozen one.
    """
    rows = [[name, duration(ns)] for name, ns in live.percentiles.items()]
    rows.append(["frames", f"{live.total:,}"])
    heads = ["", f"{_dash(BLUE, 'solid')} now"]
    if frozen is not None:
        heads += [f"{_dash(ORANGE, 'dashed')} {html.escape(label)}", "now / frozen"]
        for row, (name, ns) in zip(rows, frozen.percentiles.items(), strict=False):
            row += [duration(ns), ratio(live.percentiles[name], ns)]
        rows[-1] += [f"{frozen.total:,}", ""]
    head = "".join(f'<th style="{_CELL}; font-weight: normal">{text}</th>' for text in heads)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{text}</td>' for text in row) + "</tr>"
        for row in rows
    )
    return (
        '<table style="font-variant-numeric: tabular-nums; line-height: 1.5; '
        f'border-collapse: collapse; white-space: nowrap"><tr>{head}</tr>{body}</table>'
    )


_CELL = "text-align: right; padding: 1px 8px"


def _dash(color: str, style: str) -> str:
    """Draw the line that stands for something in the figure."""
    return (
        f'<span style="display: inline-block; width: 22px; border-top: 3px {style} {color}; '
        'vertical-align: middle; margin-right: 4px"></span>'
    )
