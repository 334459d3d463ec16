"""Write docs/knobs.md, from the table of knobs, to standard output."""

from __future__ import annotations

from collections.abc import Iterator

from xdplab import KNOBS
from xdplab.knobs.row import HOMES, Home, Knob

_INTRODUCTION = """# Knobs

What can be turned while packets flow, from `xdplab/knobs/table.py` (this page is made of it:
`python scripts/knobs_page.py > docs/knobs.md`). A knob has one name everywhere: as attribute, as
trait and control of `Controls`, in settings, `Grid` and `tune`, and in the journal that `undo`
reads. "Searched" is what `tune` tries unless told otherwise; "only with" is what another knob must
be for this one to do anything.
"""

_SECTIONS: dict[Home, str] = {
    "engine": "Attributes of `Engine`. A worker sees a new value on its next turn.",
    "traffic": "Attributes of `Traffic`, the generator.",
    "napi": "Attributes of `Engine.napi`: how packets leave the driver. They are the device's.",
    "sockets": "Arguments of `Engine.reconfigure`, and read from `Engine.configuration`: they take "
    "new sockets, for about a tenth of a second. `undo` leaves them alone; `Controls` has none.",
}


def _page() -> Iterator[str]:
    yield _INTRODUCTION
    for home, words in _SECTIONS.items():
        yield f"## `{HOMES[home]}`\n\n{words}\n"
        yield "| Knob | What it is | Type | Values | Unit | Default | Searched |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for knob in KNOBS.values():
            if knob.home == home:
                yield _row(knob)
        yield ""


def _row(knob: Knob[object]) -> str:
    default = knob.default if isinstance(knob.default, str) else f"`{knob.default!r}`"
    words = knob.help
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
