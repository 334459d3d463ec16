"""The knobs that `Controls` shows: their names, where they are turned, and where they can stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any, Literal

from xdplab.configuration.configuration import ACTIONS
from xdplab.core.errors import ConfigurationError
from xdplab.knobs.knobs import CHECKSUMS

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine

Stops = tuple[tuple[str, Any], ...]
"""Where a control can stop: what is written there, and the knob's value."""

_LARGEST_SHOWN_BURST = 1 << 16
_LARGEST_SHOWN_RATE = 10_000_000
_SIZES = (60, 64, 128, 256, 512, 1024, 1280, 1514)
_PACES = (0, 0.001, 0.01, 0.1, 0.5, 1, math.inf)
_DEFERRALS = (0, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Knob:
    """One knob as people see it."""

    name: str
    """The trait of `Controls`."""
    label: str
    help: str
    text: Callable[[Any], str] = str
    """How a value is written."""
    values: Callable[[Engine], Iterable[Any]] | None = None
    """Where the control can stop, in order; without, it is a box to tick."""
    home: Literal["engine", "traffic", "napi"] = "engine"
    attribute: str = ""
    """The attribute, where it has another name than the trait."""
    matters: Callable[[Engine], bool] = lambda engine: True
    """Whether it does anything as the engine is set now."""
    menu: bool = False
    """Whether values are chosen by name, not along a line."""
    slow: bool = False
    """Whether turning it takes so long that it happens when a slider is let go."""

    @property
    def place(self) -> str:
        """The attribute's name."""
        return self.attribute or self.name

    def stops(self, engine: Engine) -> Stops:
        """Return where the control can stop, on this engine and as it is set up now."""
        if self.name == "wait":
            return _waits(engine)
        values = () if self.values is None else self.values(engine)
        return tuple((self.text(value), value) for value in values)


def order(value: Any) -> float:  # noqa: ANN401 - a number, "max", or a replay's "recorded"
    """Return a value's place along a slider."""
    if isinstance(value, str):
        return math.inf if value == "max" else -math.inf
    return float(value)


def _powers_of_two(most: int) -> list[int]:
    return [1 << exponent for exponent in range(most.bit_length())]


def _one_two_five(least: int, most: int) -> list[int]:
    """Return 1, 2, 5, 10, 20, 50 and so on, within bounds."""
    steps = (factor * 10**exponent for exponent in count() for factor in (1, 2, 5))
    return [step for step in takewhile(lambda step: step <= most, steps) if step >= least]


def _rates(_engine: Engine) -> list[Any]:
    return [*_one_two_five(1, _LARGEST_SHOWN_RATE), "max"]


def _actions(engine: Engine) -> list[str]:
    possible = []
    for action in ACTIONS:
        with suppress(ConfigurationError):
            engine.configuration.action_index(action)
            possible.append(action)
    return possible


def _waits(engine: Engine) -> Stops:
    ineffective = engine.wait_ineffective
    return tuple(
        (f"{wait} (no effect here)" if wait in ineffective else wait, wait)
        for wait in engine.wait_strategies
    ) or (("", ""),)


def _prefixed(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.6g} {letter}"
    return f"{value:.6g} "


def _number(value: int) -> str:
    return f"{value:,}"


def _rate(value: float | str) -> str:
    return value if isinstance(value, str) else f"{_prefixed(value)}pps"


def _microseconds(value: int) -> str:
    return _seconds(value / 1e6)


def _nanoseconds(value: int) -> str:
    return "off" if value == 0 else _seconds(value / 1e9)


def _seconds(value: float) -> str:
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= size:
            return f"{value / size:.6g} {unit}"
    return f"{value / 1e-9:.6g} ns" if value else "0"


def _pace(value: float) -> str:
    if value == math.inf:
        return "by steps"
    return f"every {_seconds(value)}" if value else "free"


def _sampling(value: int) -> str:
    return f"1 in {value:,}" if value else "none"


WORKER = (
    Knob(
        "batch",
        "Batch size",
        "Most frames taken from the RX ring at once",
        _number,
        lambda engine: _powers_of_two(engine.ring_size),
    ),
    Knob(
        "wait",
        "Wait",
        "What the worker does when the RX ring is empty",
        matters=lambda engine: bool(engine.wait_strategies),
        menu=True,
    ),
    Knob(
        "spin_microseconds",
        "Spin time",
        "How long it spins after the last packet before it parks",
        _microseconds,
        lambda _engine: [0, *_one_two_five(1, 1_000_000)],
        matters=lambda engine: engine.wait == "adaptive",
    ),
    Knob(
        "busy_poll_microseconds",
        "Busy-poll time",
        "How long it drives NAPI at a time",
        _microseconds,
        lambda _engine: _one_two_five(1, 10_000),
        matters=lambda engine: engine.wait in ("busy-poll", "uring-napi"),
    ),
    Knob(
        "busy_poll_budget",
        "Budget",
        "Most packets that it lets NAPI take at a time",
        _number,
        lambda _engine: _powers_of_two(1024),
        matters=lambda engine: engine.wait == "busy-poll",
    ),
    Knob("action", "Action", "What becomes of a packet", values=_actions, menu=True),
    Knob(
        "burst",
        "Burst budget",
        "Most packets received before the worker looks at its knobs and the clock again",
        _number,
        lambda _engine: _powers_of_two(_LARGEST_SHOWN_BURST),
    ),
    Knob(
        "sample_every",
        "Samples",
        "Which part of the frames is kept, with their first bytes",
        _sampling,
        lambda _engine: [0, *(10**exponent for exponent in range(7))],
    ),
    Knob("inspect", "Inspect every frame", "Measure each frame's latency, not only samples'"),
    Knob(
        "checksum",
        "Checksums",
        "Who finishes the checksum of a packet that is sent on, where its sender left that to a "
        "device",
        values=lambda _engine: CHECKSUMS,
        matters=lambda engine: engine.action in ("reflect", "echo", "forward"),
        menu=True,
    ),
    Knob(
        "pace",
        "Pace",
        "How far batches are apart: slowly enough to be watched, or one by one with engine.step()",
        _pace,
        lambda _engine: _PACES,
    ),
)

TRAFFIC = (
    Knob(
        "traffic_rate",
        "Rate",
        "Packets a second that the generator sends",
        _rate,
        _rates,
        home="traffic",
        attribute="rate",
    ),
    Knob(
        "traffic_size",
        "Size",
        "Bytes of a frame, without its checksum",
        lambda value: f"{value:,} bytes",
        lambda _engine: _SIZES,
        home="traffic",
        attribute="size",
    ),
)

STREAM = (
    Knob(
        "rate",
        "Rate",
        "Packets a second that each worker sends of its own, with the action generate",
        _rate,
        _rates,
        matters=lambda engine: engine.action == "generate",
    ),
)

NAPI = (
    Knob(
        "threaded",
        "Threaded",
        "A kernel thread runs NAPI, not a softirq",
        home="napi",
    ),
    Knob(
        "defer_hard_irqs",
        "Defer IRQs",
        "How many empty polls in a row before interrupts come on again; takes a flush timeout",
        _number,
        lambda _engine: _DEFERRALS,
        home="napi",
        slow=True,
    ),
    Knob(
        "gro_flush_timeout",
        "Flush timeout",
        "How long until the timer polls, while interrupts are deferred",
        _nanoseconds,
        lambda _engine: [0, *_one_two_five(1_000, 1_000_000)],
        home="napi",
        slow=True,
    ),
    Knob(
        "irq_suspend_timeout",
        "Suspend IRQs",
        "How long interrupts stay off for a program that busy-polls with epoll; none of the wait "
        "strategies does",
        _nanoseconds,
        lambda _engine: [0, *_one_two_five(1_000_000, 1_000_000_000)],
        home="napi",
        slow=True,
    ),
)

KNOBS = {knob.name: knob for knob in (*WORKER, *TRAFFIC, *STREAM, *NAPI)}
"""All of them, by the trait's name."""
