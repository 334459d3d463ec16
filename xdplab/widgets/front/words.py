"""The front's texts: about a point, about the whole, and about the knobs' importance."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

from xdplab.core.text import counted, spaced
from xdplab.experiments.metrics import METRICS
from xdplab.experiments.runs import words
from xdplab.experiments.words import with_unit
from xdplab.tuning.result import Tuning
from xdplab.tuning.space import relevant
from xdplab.widgets.parts.engine_view import BADGE
from xdplab.widgets.parts.results import scale_html
from xdplab.widgets.style.palette import BLUE

if TYPE_CHECKING:
    from xdplab.widgets.front.points import Points

_BAR = 120  # pixels of the longest bar


def point_html(tuning: Tuning, row: int, place: int | None) -> str:
    """Return the text on a setting and its results."""
    trial = tuning.trials[row]
    runs = int(trial["runs"])
    head = f"<b>{html.escape(words(relevant(tuning.tried(row))))}</b>"
    said = [counted(runs, "run")]
    if place is not None:
        said.append(f"place {place} of the front")
    if row == 0:
        said.append("the search began with it")
    figures = "".join(
        f'<tr><td>{html.escape(about.label)}</td><td style="text-align: right; padding-left: 10px">'
        f"<b>{with_unit(metric, float(trial[metric]))}</b></td></tr>"
        for metric, about in METRICS.items()
    )
    return (
        f'<div style="max-width: 380px">{head}<br>{", ".join(said)}<table>{figures}</table></div>'
    )


def head_html(tuning: Tuning) -> str:
    """Return the sentence above the figure."""
    early = "<i>Ended early.</i> " if tuning.interrupted or tuning.ended else ""
    badge = BADGE if tuning.simulated else ""
    return (
        '<div style="line-height: 1.5; padding: 4px; max-width: 110ch">'
        f"{early}{html.escape(tuning.sentence)}{badge}</div>"
    )


def legend_html(drawn: Points, refused: int, *, ringed: bool | None) -> str:
    """Return the legend of colours and sizes.

    Parameters
    ----------
    drawn
        The points.
    refused
        How many settings could not be measured.
    ringed
        Whether a ring is drawn; None: the engine's settings are not known.
    """
    ring = {
        True: " The ring is around the engine's present settings.",
        False: " No point has the engine's present settings, so none has a ring.",
        None: "",
    }[ringed]
    left_out = f" {refused} settings could not be measured." if refused > 1 else ""
    left_out = " 1 setting could not be measured." if refused == 1 else left_out
    return (
        f"{scale_html('cpu_ns_per_packet', drawn.dearest, drawn.cheapest)}"
        '<div style="padding: 2px 4px; line-height: 1.4">Large, with its place: the front, which '
        "no other setting beats in rate, p99 and CPU time at once. A click applies a "
        f"setting.{ring}{left_out}</div>"
    )


def importances_html(importances: Mapping[str, float]) -> str:
    """Return bars of each knob's importance."""
    if not importances:
        return (
            "<div style='padding: 4px; opacity: 0.8'>Too few runs to say which knob mattered.</div>"
        )
    most = max(importances.values()) or 1.0
    rows = "".join(
        f"<tr><td style='padding-right: 8px'>{html.escape(spaced(name))}</td>"
        f"<td><div style='background: {BLUE}; height: 10px; "
        f"width: {max(1, round(_BAR * share / most))}px'></div></td>"
        f"<td style='text-align: right; padding-left: 8px'>{share:.0%}</td></tr>"
        for name, share in importances.items()
    )
    return (
        '<div style="padding: 4px; line-height: 1.5; font-variant-numeric: tabular-nums">'
        f"<b>What mattered</b><table>{rows}</table></div>"
    )
