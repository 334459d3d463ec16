"""What arrives on each queue of a card, beside the part of the RSS table that leads there."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import ipywidgets

from xdplab.core.text import rate
from xdplab.widgets.style.palette import RECEIVED

if TYPE_CHECKING:
    from xdplab.configuration.configuration import Configuration
    from xdplab.engine.engine import Engine

_OVER_NS = 10**9
"""The time over which rates are taken: short, so that a change of the table is seen at once."""

_APART_NS = 250 * 10**6  # between two looks: each changes the text, which browsers then get


class Queue(NamedTuple):
    """A receive queue of a card."""

    number: int
    received: float | None
    """Packets a second, of all its workers; None as long as no rate is known."""
    has_worker: bool
    entries: int
    """Of the RSS table, that lead to it."""


class QueueRates:
    """A line for each queue of an engine's card, and each other to which its RSS table leads.

    Parameters
    ----------
    engine
        The engine, which is not kept alive.
    """

    def __init__(self, engine: Engine) -> None:
        self.widget = ipywidgets.HTML(layout={"display": "none", "margin": "2px 0"})
        self._telemetry = engine.telemetry
        self._configuration: Configuration | None = None
        self._looks: deque[tuple[int, Counter[int]]] = deque()  # when, and packets by queue

    def show(self, engine: Engine) -> bool:
        """Show what arrives now, and return whether there are several queues."""
        queues = self._queues(engine)
        several = len(queues) > 1
        self.widget.layout.display = None if several else "none"
        if several:
            self.widget.value = _html(queues)
        return several

    def _queues(self, engine: Engine) -> list[Queue]:
        self._look(engine)
        steered = engine.steering.latest
        table = Counter(steered.rss.table if steered is not None and steered.rss else ())
        return [
            Queue(number, self._received(number), number in engine.queues, table[number])
            for number in sorted({*engine.queues, *table})
        ]

    def _look(self, engine: Engine) -> None:
        """Read the counts of all workers of the card, which is the first of two interfaces."""
        now = time.monotonic_ns()
        passed = now - self._looks[-1][0] if self._looks else 0
        if self._configuration is not engine.configuration:  # other workers may count now
            self._configuration = engine.configuration
            self._looks.clear()
        elif passed > 2 * _OVER_NS:  # nobody looked for long
            self._looks.clear()
        elif 0 < passed < _APART_NS:
            return
        counts: Counter[int] = Counter()
        for worker, queue in enumerate(engine.configuration.worker_queues):
            counts[queue] += int(self._telemetry.counters(worker)["rx_packets"])
        self._looks.append((now, counts))
        while len(self._looks) > 2 and now - self._looks[1][0] >= _OVER_NS:
            self._looks.popleft()

    def _received(self, queue: int) -> float | None:
        (begun, before), (ended, now) = self._looks[0], self._looks[-1]
        if queue not in now or ended == begun:
            return None
        return (now[queue] - before[queue]) / ((ended - begun) / 1e9)


def _html(queues: Sequence[Queue]) -> str:
    """Return a table: of each queue a bar, its rate, and its part of the RSS table."""
    entries = sum(queue.entries for queue in queues)
    most = max(queue.received or 0 for queue in queues)
    rows = "".join(_row(queue, most, entries) for queue in queues)
    return f'<table class="xdplab-queues">{rows}</table>'


def _row(queue: Queue, most: float, entries: int) -> str:
    part = 100 * (queue.received or 0) / most if most else 0
    bar = f'<div><div style="background: {RECEIVED}; width: {part:.0f}%"></div></div>'
    if not queue.has_worker:
        told = "no worker"
    else:
        told = "..." if queue.received is None else rate(queue.received, 3)
    leads = f"RSS: {queue.entries:,} of {entries:,}" if entries else ""
    cells = (f"Queue {queue.number}", bar, told, leads)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
