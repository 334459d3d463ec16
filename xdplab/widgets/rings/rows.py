"""The variable parts of the rings' drawing: entries, pins, figures, lamps, followed frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from xdplab.core.text import counted
from xdplab.widgets.base.feed import Columns
from xdplab.widgets.rings.figure import CENTRES, HANDS, INNER, LAMPS, NUMBERS, OUTER, PIN, TEXTS
from xdplab.widgets.rings.state import CONSUMERS, PRODUCERS, Ring, RingName, RingState, Side
from xdplab.widgets.rings.words import COLORS, INKS, NAMES

MOST_PLACES = 256
"""A ring with more entries than this is drawn as two arcs, not entry by entry."""

_FREE = 0.22  # opacity of a free place
_MIDDLE = (OUTER + INNER) / 2
_TURN = 2 * math.pi

Values = npt.NDArray[np.float64]


def rows(state: RingState, followed: int | None) -> dict[str, Columns]:
    """Return the columns of each source of `rings_figure`.

    Parameters
    ----------
    state
        The state of the rings.
    followed
        Number of the frame to mark.
    """
    return {
        "entries": _joined("entries", [_entries(ring) for ring in state.rings.values()]),
        "pins": _joined("pins", [_pins(ring) for ring in state.rings.values()]),
        "words": _words(state),
        "lamps": _lamps(state),
        **_followed(state, followed),
    }


def nothing() -> dict[str, Columns]:
    """Return the columns of each source, empty."""
    return {name: _joined(name, []) for name in NUMBERS}


def _joined(source: str, parts: list[Columns]) -> Columns:
    numbers = {
        name: np.concatenate([np.empty(0), *(np.asarray(part[name]) for part in parts)])
        for name in NUMBERS[source]
    }
    texts = {
        name: [text for part in parts for text in part[name]] for name in TEXTS.get(source, ())
    }
    return numbers | texts


def _entries(ring: Ring) -> Columns:
    return _places(ring) if ring.size <= MOST_PLACES else _arcs(ring)


def _places(ring: Ring) -> Columns:
    """Draw each entry, with its frame's number if that is known and there is room."""
    places = np.arange(ring.size)
    waits = ring.waits()
    frames = [""] * ring.size if ring.frames is None else list(map(str, ring.frames))
    numbers = [frame if wait else "" for frame, wait in zip(frames, waits, strict=True)]
    gap = 0.06 / ring.size
    middle = _angle((places + 0.5) / ring.size)
    size, radius, tilt = _lettering(ring.size, middle)
    centre = CENTRES[ring.name]
    owners: list[Side] = [ring.reader if wait else ring.writer for wait in waits]
    return {
        "x": np.full(ring.size, centre.x),
        "y": np.full(ring.size, centre.y),
        "start": _angle(places / ring.size + gap),
        "end": _angle((places + 1) / ring.size - gap),
        "alpha": np.where(waits, 1, _FREE),
        "text_x": centre.x + radius * np.cos(middle),
        "text_y": centre.y + radius * np.sin(middle),
        "tilt": tilt,
        "color": [COLORS[owner] for owner in owners],
        "ink": [INKS[owner] for owner in owners],
        "number": numbers if size else [""] * ring.size,
        "size": [f"{size or 1}px"] * ring.size,
        "frame": numbers,
        "said": [
            _place_words(ring.name, place, number, bool(wait))
            for place, (number, wait) in enumerate(zip(numbers, waits, strict=True))
        ],
    }


@lru_cache(maxsize=4096)
def _place_words(name: RingName, place: int, number: str, waits: bool) -> str:
    what = f"frame {number}" if number else "an entry" if waits else "free"
    turn = f"the {CONSUMERS[name]}'s to read" if waits else f"the {PRODUCERS[name]}'s to write"
    return f"{NAMES[name]}, place {place}: {what}, {turn}"


def _lettering(size: int, middle: Values) -> tuple[int, Values, Values]:
    """Return the height of numbers in pixels (0: none), the radius of each, and its tilt."""
    room = _TURN * _MIDDLE / size
    radius = np.full(size, _MIDDLE)
    if room >= 24:
        return 12, radius, np.zeros(size)
    # Along the radius, but never upside down.
    tilt = np.where(np.cos(middle) < -1e-9, middle + math.pi, middle)
    if room >= 8.5:
        return (10 if room >= 12 else 8), radius, tilt
    # Every second number is further out, so that each has the room of two.
    radius += np.where(np.arange(size) % 2, 1, -1) * (OUTER - INNER) / 4
    return (7 if room >= 4 else 0), radius, tilt


def _arcs(ring: Ring) -> Columns:
    """Draw the waiting entries as one arc and the free ones as another."""
    begin, share = ring.consumer % ring.size / ring.size, ring.waiting / ring.size
    arcs: list[tuple[float, float, float, Side, str]] = [
        (
            begin,
            begin + share,
            1,
            ring.reader,
            f"{ring.waiting:,} wait, the {ring.reader}'s to read",
        ),
        (
            begin + share,
            begin + 1,
            _FREE,
            ring.writer,
            f"{ring.size - ring.waiting:,} free, the {ring.writer}'s to write",
        ),
    ]
    drawn = [arc for arc in arcs if arc[1] > arc[0]]
    centre, empty = CENTRES[ring.name], [""] * len(drawn)
    zeros = np.zeros(len(drawn))
    return {
        "x": zeros + centre.x,
        "y": zeros + centre.y,
        "start": _angle(np.array([start for start, *_ in drawn])),
        "end": _angle(np.array([end for _, end, *_ in drawn])),
        "alpha": np.array([alpha for *_, alpha, _, _ in drawn]),
        "text_x": zeros,
        "text_y": zeros,
        "tilt": zeros,
        "color": [COLORS[owner] for *_, owner, _ in drawn],
        "ink": [INKS[owner] for *_, owner, _ in drawn],
        "number": empty,
        "size": ["1px"] * len(drawn),
        "frame": empty,
        "said": [f"{NAMES[ring.name]}: {said}" for *_, said in drawn],
    }


def _pins(ring: Ring) -> Columns:
    """Mark the producer's next entry from outside, and the consumer's from inside."""
    ends = np.array([ring.producer, ring.consumer])
    angle = _angle((ends % ring.size + 0.5) / ring.size)
    radius = np.array([OUTER + 7 + PIN, INNER - 7 - PIN])
    tip = np.array([OUTER + 1, INNER - 1])
    centre, sides = CENTRES[ring.name], (ring.writer, ring.reader)
    return {
        "x": centre.x + radius * np.cos(angle),
        "y": centre.y + radius * np.sin(angle),
        "tip_x": centre.x + tip * np.cos(angle),
        "tip_y": centre.y + tip * np.sin(angle),
        "color": [COLORS[side] for side in sides],
        "ink": [INKS[side] for side in sides],
        "letter": ["P", "C"],
    }


def _words(state: RingState) -> Columns:
    """Write figures into the rings, and into the boxes of kernel and worker."""
    words = [*_ring_words(state), *_hand_words(state)]
    x, y, text, size = zip(*words, strict=True)
    return {"x": np.array(x), "y": np.array(y), "text": list(text), "size": list(size)}


def _ring_words(state: RingState) -> Iterator[tuple[float, float, str, str]]:
    for name, ring in state.rings.items():
        x, y = CENTRES[name]
        yield x, y + 7, f"{ring.waiting:,} of {ring.size:,}", "12px"
        yield x, y - 9, f"P {ring.producer:,}", "10px"
        yield x, y - 22, f"C {ring.consumer:,}", "10px"


def _hand_words(state: RingState) -> Iterator[tuple[float, float, str, str]]:
    counts = state.counts()
    for home, (x, y) in HANDS.items():
        yield x, y - 10, counted(counts[home], "frame"), "12px"


def _lamps(state: RingState) -> Columns:
    lit = [place for name, place in LAMPS.items() if state.rings[name].needs_wakeup]
    return {
        "x": np.array([place.x for place in lit]),
        "y": np.array([place.y for place in lit]),
    }


def _followed(state: RingState, frame: int | None) -> dict[str, Columns]:
    """Mark the followed frame's entry, or the kernel or worker that holds it."""
    marks = {name: _joined(name, []) for name in ("followed_entry", "followed_hand")}
    home = None if frame is None else state.home_of(frame)
    if frame is None or home is None:
        return marks
    if home in HANDS:
        x, y = HANDS[home]
        return marks | {"followed_hand": {"x": np.array([x]), "y": np.array([y])}}
    ring = next(ring for ring in state.rings.values() if ring.name == home)
    place, centre = ring.place_of(frame) or 0, CENTRES[ring.name]
    return marks | {
        "followed_entry": {
            "x": np.array([centre.x]),
            "y": np.array([centre.y]),
            "start": _angle(np.array([place / ring.size])),
            "end": _angle(np.array([(place + 1) / ring.size])),
        }
    }


def _angle(turns: Values) -> Values:
    """Convert turns clockwise from the top to Bokeh's radians."""
    return np.asarray(math.pi / 2 - _TURN * turns)
