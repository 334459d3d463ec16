"""Write docs/knobs.md, from the table of knobs, to standard output."""

from __future__ import annotations

from collections.abc import Iterator

from xdplab import KNOBS
from xdplab.knobs.row import HOMES, Home, Knob

_INTRODUCTION = """# Knobs

This page lists every knob of an engine and its traffic: what it sets, its values and unit, its \
first value, and what `tune` tries unless told otherwise. [Engine](engine.md) tells what to do \
with them. `python scripts/knobs_page.py > docs/knobs.md` makes the page, of \
`xdplab/knobs/table.py`.

A knob has one name everywhere: as attribute, as trait and control of `Controls`, in settings, \
`Grid` and `tune`, and in the journal that `undo` reads.
"""

_PAGES = {"wait": "wait-strategies.md", "action": "engine.md#actions"}
"""Where more is said of a knob."""

_IN_WORDS = ("chosen", "the device's")
"""First values that are none that can be set."""

_SECTIONS: dict[Home, str] = {
    "engine": "Attributes of the engine. A worker sees a new value on its next turn.",
    "traffic": "Attributes of the generator, also while it runs.",
    "steering": "What the card of the engine's interface has; None where it has no such setting. "
    "[Steering](steering.md) tells of its queues, its hash and its rules.",
    "napi": "How packets leave the driver. It takes Linux 6.13, 6.17 for `threaded`, and "
    '6.19 for `threaded="busy-poll"`.',
    "sockets": "What takes new sockets, within about a tenth of a second. `engine.configuration` "
    "has the present values. `undo` leaves them alone, and `Controls` has none of them.",
}


def _page() -> Iterator[str]:
    yield _INTRODUCTION
    for home, words in _SECTIONS.items():
        yield f"## `{HOMES[home]}`\n\n{words}\n"
        yield "| knob | sets | type | values | unit | at first | searched |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for knob in KNOBS.values():
            if knob.home == home:
                yield _row(knob)
        yield ""


def _row(knob: Knob[object]) -> str:
    default = f"`{knob.default!r}`"
    if knob.default in _IN_WORDS:
        default = knob.default
    words = f"{knob.help[0].lower()}{knob.help[1:]}"
    if page := _PAGES.get(knob.name):
        words = f"[{words}]({page})"
    if knob.needs is not None:
        words += f" (only with `{knob.needs.knob}` {' or '.join(map(str, knob.needs.values))})"
    cells = (
        *(f"`{knob.name}`", words, knob.kind.type, knob.kind.range, knob.unit),
        *(default, _searched(knob)),
    )
    return f"| {' | '.join(cells)} |"


def _searched(knob: Knob[object]) -> str:
    if knob.search is None:
        return ""
    if callable(knob.search.values):
        return "those that can be had"
    return ", ".join(str(value) for value in knob.search.values)


print("\n".join(_page()).rstrip())
