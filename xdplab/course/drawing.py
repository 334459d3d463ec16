"""A drawing of a packet's way to an engine, made from the engine as it is now."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from xdplab.core.calls import public_function
from xdplab.engine.engine import Engine
from xdplab.ledger.subjects import check_engine

_HEIGHT, _TOP, _BOX = 210, 64, 74
_GAP = 46
_KERNEL, _OURS = "#c77700", "#2f6fd0"


@dataclass(frozen=True)
class _Box:
    """A box of the drawing: its place, its heading, and what is in it."""

    left: int
    width: int
    heading: str
    lines: tuple[str, ...]
    colour: str

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def middle(self) -> int:
        return self.left + self.width // 2


class Way:
    """A packet's way from the wire to the worker, as a drawing in a notebook and as words."""

    def __init__(self, engine: Engine) -> None:
        about = engine.configuration
        fill = 2 * about.ring_size
        cores = ", ".join(map(str, engine.cpus))
        self._name = f"{engine.interface.name}{' [simulated]' if engine.simulated else ''}"
        self._taken = about.match or "everything"
        self._headings = (
            ("interface", (engine.interface.name, f"queue {about.queue}")),
            ("XDP program", (f"takes: {self._taken}", f"attached: {about.attach}")),
            ("AF_XDP socket", (f"RX ring: {about.ring_size:,}", f"fill ring: {fill:,}")),
            ("worker", (f"core {cores}, wait={engine.wait}", f"then: {engine.action}")),
        )
        self._frames = f"UMEM: frames of {about.frame_size:,} bytes"
        self._hand_over = "no copy" if engine.zero_copy else "copy"
        self._simulated = engine.simulated
        self._kernel = "played by a thread" if engine.simulated else "the kernel, in softirq"

    def __repr__(self) -> str:
        parts = [f"{heading} ({', '.join(lines)})" for heading, lines in self._headings]
        mark = " [simulated]" if self._simulated else ""
        return f"{' → '.join(parts)}; what is not taken → the stack{mark}"

    def _repr_html_(self) -> str:
        boxes = list(self._boxes())
        interface, program, socket, worker = boxes
        drawn = [_drawn(box) for box in boxes]
        drawn += [_arrow(a.right, b.left, _TOP + 26) for a, b in pairwise(boxes)]
        drawn += [
            _text((program.right + socket.left) // 2, _TOP + 18, self._hand_over),
            _arrow(worker.left, socket.right, _TOP + 56),
            _text((worker.left + socket.right) // 2, _TOP + 70, "empty"),
            _down(program.middle, _TOP + _BOX, 176),
            _text(program.middle, 192, "all else: to the stack"),
            _down(socket.middle, _TOP + _BOX, 176, both=True),
            _text(socket.middle, 192, self._frames),
            _text(interface.left, 20, self._name, anchor="start", bold=True),
            _text((interface.left + socket.right) // 2, 46, self._kernel),
            _text(worker.middle, 46, "a thread of this process"),
        ]
        width = worker.right + 10
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" '
            f'width="{width}" height="{_HEIGHT}" role="img" style="max-width: 100%; height: auto; '
            f'color: var(--jp-ui-font-color1, inherit)"><title>{html.escape(repr(self))}</title>'
            f"{''.join(drawn)}</svg>"
        )

    def _boxes(self) -> Iterator[_Box]:
        left = 10
        for heading, lines in self._headings:
            width = max(118, 8 * max(map(len, (heading, *lines))))
            yield _Box(left, width, heading, lines, _OURS if heading == "worker" else _KERNEL)
            left += width + _GAP


@public_function
def way(engine: Engine) -> Way:
    """Draw a packet's way from the wire to an engine's worker, from the engine as it is now.

    Parameters
    ----------
    engine
        Open.
    """
    check_engine(engine)
    return Way(engine)


def _drawn(box: _Box) -> str:
    frame = (
        f'<rect x="{box.left}" y="{_TOP}" width="{box.width}" height="{_BOX}" rx="6" fill="none" '
        f'stroke="{box.colour}" stroke-width="1.5"/>'
    )
    rows = [_text(box.middle, _TOP + 20, box.heading, bold=True)]
    rows += [_text(box.middle, _TOP + 40 + 18 * n, line) for n, line in enumerate(box.lines)]
    return frame + "".join(rows)


def _text(x: int, y: int, words: str, *, anchor: str = "middle", bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="12" font-family="sans-serif" '
        f'fill="currentColor"{weight}>{html.escape(words)}</text>'
    )


def _arrow(start: int, end: int, y: int) -> str:
    tip = 6 if end > start else -6
    return (
        f'<path d="M{start} {y}H{end}m{-tip} -4l{tip} 4l{-tip} 4" fill="none" '
        f'stroke="currentColor" stroke-width="1.2"/>'
    )


def _down(x: int, start: int, end: int, *, both: bool = False) -> str:
    head = f"M{x - 4} {start + 6}l4 -6l4 6" if both else ""
    return (
        f'<path d="M{x} {start}V{end}m-4 -6l4 6l4 -6{head}" fill="none" stroke="currentColor" '
        f'stroke-width="1.2" stroke-dasharray="3 2"/>'
    )
