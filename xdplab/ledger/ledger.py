"""The ledger: where every packet went, from the generator to the worker and back out.

```
sent by the generator ──▶ wire ──▶ device ──▶ XDP program ──▶ RX ring ──▶ worker ──┐ drop
                           │ full             │ to the stack   │ full              ▼
                           ▼                  ▼                ▼ no frame       TX ring
received at the far end ◀── device ◀── completed ◀── taken by the kernel ◀─────────┘
                             ▼ dropped
```

Each counting point counts for itself (counting_points.py). The ledger compares their counts,
summed over the engine's interfaces and workers, and explain.py has the words.
"""

from __future__ import annotations

import copy
import math
import time
import weakref
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from xdplab.core.calls import public
from xdplab.core.checks import boolean, seconds
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.knobs.table import names_of_home
from xdplab.ledger import own_program
from xdplab.ledger.account import Account, Stage
from xdplab.ledger.counting_points import NO_QUEUE, CountingPoints, Counts
from xdplab.ledger.drops import drop_reasons_of
from xdplab.ledger.lines import Line, is_there, name_of
from xdplab.ledger.offered import is_short
from xdplab.ledger.read_situation import situation_of
from xdplab.ledger.subjects import check_engine, check_traffic, senders

if TYPE_CHECKING:
    from xdplab.ledger.subjects import CountedEngine, CountedTraffic

_SETTLE_SECONDS = 1.0
_QUIET_SECONDS = 0.2


@public
class Ledger(Tabled, FixedNames):
    """Counts packets at each counting point from now on, and checks that the counts add up.

    Make it before the traffic starts; `Engine.ledger` makes one too. Packets already in flight are
    told apart where possible: from the XDP program on. `xdplab.widgets.LedgerView` shows one.

    Parameters
    ----------
    engine
        Running or stopped.
    traffic
        The generator, where there is one: without it the ledger begins at the device.
    drop_reasons
        Whether `explain` also tells which packets of these interfaces the kernel dropped, and why,
        as `DropReasons` does.

    Raises
    ------
    PermissionRefusedError
        For `drop_reasons` without CAP_PERFMON and CAP_BPF.
    """

    def __init__(
        self,
        engine: CountedEngine,
        traffic: CountedTraffic | None = None,
        *,
        drop_reasons: bool = False,
    ) -> None:
        check_engine(engine)
        check_traffic(traffic)
        asked = boolean("drop_reasons", drop_reasons)
        self._drops = drop_reasons_of(engine, traffic) if asked else None
        self._engine, self._traffic = engine, traffic
        self._points = CountingPoints(engine, traffic)
        deadline = time.monotonic() + _QUIET_SECONDS
        before, _ = self._points.look()
        self._start, self._start_by_queue = self._points.look()
        # A generator that has lost its core for a moment is not quiet.
        while not (quiet := self._start == before and not senders(engine, traffic)):
            if time.monotonic() >= deadline:
                break
            before = self._start
            self._start, self._start_by_queue = self._points.look()
        self._quiet = quiet
        # What was sent since a look ago may have passed the device after that was read. By so much
        # the device's count may then grow more than the sender's, with no other sender.
        self._on_wire = self._start.wire - before.wire
        self._last = self._start
        self._bypassed = engine.times_bypassed
        self._first_queues = frozenset(engine.queues)
        self._links_before = dict(self._points.links)
        self._begun_ns, self.begun = time.monotonic_ns(), time.time()
        """When it began, in seconds since 1970."""

    @property
    def engine(self) -> CountedEngine:
        """The engine whose packets it counts."""
        return self._engine

    @property
    def traffic(self) -> CountedTraffic | None:
        """The generator at which it begins, if any."""
        return self._traffic

    def weakly(self) -> Self:
        """Return a copy that keeps neither engine nor generator alive, for viewers.

        Once one of them is gone, reading the copy raises ReferenceError.
        """
        book = copy.copy(self)
        book._engine = weakref.proxy(self._engine)
        book._traffic = None if self._traffic is None else weakref.proxy(self._traffic)
        book._points = self._points.of(book._engine, book._traffic)
        return book

    def read(self) -> Account:
        """Read all counting points now, one after the other, so that packets may be in flight.

        Raises
        ------
        ClosedError
            When the engine was closed.
        """
        now, by_queue = self._points.look()
        sending = senders(self._engine, self._traffic)
        flowing = now != self._last or bool(sending)
        self._last = now
        grown_by_queue = by_queue - self._start_by_queue
        grown = self._with_unseen(now - self._start, grown_by_queue)
        stages: list[Stage] = []
        wire_gaps = self._account_for_wire(grown, stages)
        gaps = [
            *self._account_for_device(grown, stages, wire_gaps, flowing),
            *self._account_for_reception(grown, now, stages),
            *self._account_for_sending(grown, now, stages),
        ]
        # Points are read from last to first, so packets in flight make a gap above 0. A gap below 0
        # is packets that were in flight when the ledger began.
        unaccounted = sum(abs(gap) if self._quiet else max(gap, 0) for gap in gaps)
        strays = sorted(grown_by_queue.keys() - {*self._engine.queues, NO_QUEUE})
        situation = replace(
            situation_of(self, grown, strays),
            flowing=flowing,
            senders=sending,
            reconfigured=self._reconfigured(),
            went_uncounted="attach" in self._changed() and not self._points.device,
        )
        named = tuple(
            Stage(line.stage, line.packets, name_of(line.stage, situation.kind))
            for line in stages
            if is_there(line.stage, situation.kind)
        )
        return Account(named, unaccounted, situation)

    def settle(self, timeout: float = _SETTLE_SECONDS) -> Account:
        """Read until the packets in flight have arrived, at most for `timeout` seconds."""
        deadline = time.monotonic() + seconds("timeout", timeout, 0, math.inf)
        while time.monotonic() < deadline:
            account = self.read()
            settled = not (self._last.waiting or self._last.tx_waiting or self._last.pending)
            # Packets for a stopped worker keep waiting.
            still = not self._engine.running and not account.situation.flowing
            if account.balanced and (settled or still):
                return account
        return self.read()

    def explain(self) -> str:
        """Settle, and say in words what was lost, why, and which knob would help."""
        return self.settle().explain()

    def _table(self) -> Table:
        return self.read()._table()

    def _with_unseen(self, grown: Counts, by_queue: Counter[int]) -> Counts:
        """Count packets on queues where the program does not run as packets without a socket.

        A veth does not run an attached program on queues that are added later (veth_set_channels,
        Linux 6.18).
        """
        if not self._points.veth or self._engine.configuration.users_program:
            return grown
        # A queue that `Engine.reconfigure` turned to was without an engine before.
        captured = self._first_queues.intersection(self._engine.queues)
        strays = sum(by_queue[queue] for queue in by_queue.keys() - captured)
        gap = grown.device - grown.seen - grown.reconfiguring - grown.uncounted
        unseen = max(min(gap, strays - grown.no_socket), 0)
        return replace(grown, no_socket=grown.no_socket + unseen)

    def _account_for_wire(self, grown: Counts, stages: list[Stage]) -> list[int]:
        if self._traffic is None:
            return []
        stages += [
            Stage(Line.SENT, grown.sent),
            *([Stage(Line.ASKED, grown.asked)] if self._is_short(grown) else []),
            Stage(Line.TOO_LONG, grown.too_long),
            Stage(Line.WIRE_FULL, grown.wire_full),
        ]
        if self._points.gone:
            return []  # the sender's device count is not known
        besides = self._sent_besides(grown)
        gaps = [grown.sent - grown.too_long + besides - grown.wire - grown.wire_full]
        others = 0
        if self._points.device:
            # All other frames that the device counted came from the peer's stack.
            more = grown.device - grown.wire
            others = max(more - self._on_wire, 0)
            gaps.append(others - more)
        if self._points.device or besides:
            stages.append(Stage(Line.OTHERS, others + besides))
        return gaps

    def _sent_besides(self, grown: Counts) -> int:
        """Count what others sent by the generator's interface in its way, such as a later one."""
        known = self._traffic is not None and not self._points.gone
        return max(grown.besides - self._on_wire, 0) if known else 0

    def _account_for_device(
        self, grown: Counts, stages: list[Stage], wire_gaps: list[int], flowing: bool
    ) -> list[int]:
        # The program counts packets that came while it had no sockets. Packets that came without a
        # program are in the driver's count alone, which is their upper bound.
        away, seen = grown.reconfiguring, grown.seen
        told = self._by_program(grown, flowing)
        seen += sum(stage.packets for stage in told)
        if not self._points.device:
            stages += [Stage(Line.RECONFIGURING, away)] if away else []
            return wire_gaps
        uncounted = min(max(grown.device - seen - away, 0), grown.uncounted)
        away += uncounted
        gaps = [*wire_gaps, grown.device - seen - away]
        if begun := 0 if self._quiet else -sum(min(gap, 0) for gap in gaps):
            stages.append(Stage(Line.ON_WIRE, begun))
        stages.append(Stage(Line.DEVICE, grown.device))
        stages += [Stage(Line.RECONFIGURING, away)] if away else []
        stages += told
        return gaps

    def _by_program(self, grown: Counts, flowing: bool) -> list[Stage]:
        """Say what a program of the user's did with other packets, where it is known."""
        if not self._engine.configuration.users_program:
            return []
        counted = self._counts_verdicts()
        told = own_program.account_for(
            grown, counted=counted, flowing=flowing, device=self._points.device
        )
        return [Stage(line, packets) for line, packets in told]

    def _counts_verdicts(self) -> bool:
        """Tell whether the driver counts the verdicts of a program of the user's."""
        return self._points.veth and self._engine.attach == "native"

    def _account_for_reception(self, grown: Counts, now: Counts, stages: list[Stage]) -> list[int]:
        # From the program on, everything counts from the engine's beginning, so that what was on
        # the way is known exactly. In quiet, what is missing was lost before.
        begun = self._start.waiting + (0 if self._quiet else self._start.missing)
        gaps = [grown.missing + grown.waiting + begun - now.waiting]
        ours = not self._engine.configuration.users_program
        stages += [
            *([Stage(Line.STACK, grown.passed)] if ours else []),
            *([Stage(Line.UNMATCHED, grown.unmatched)] if grown.unmatched else []),
            *([Stage(Line.NO_SOCKET, grown.no_socket)] if ours else []),
            Stage(Line.REDIRECTED, grown.redirected),
            *([Stage(Line.BEGUN, begun)] if begun else []),
            Stage(Line.RING_FULL, grown.ring_full),
            Stage(Line.NO_FILL, grown.no_fill),
            Stage(Line.TOO_LARGE, grown.too_large),
            *([Stage(Line.TOO_MANY, grown.too_many)] if grown.too_many else []),
            *([Stage(Line.RX_CLOSED, grown.rx_closed)] if grown.rx_closed else []),
            Stage(Line.WAITING, now.waiting),
            Stage(Line.RECEIVED, grown.received),
            *([Stage(Line.HANDLER_REFUSED, grown.refused)] if grown.refused else []),
            *([Stage(Line.HANDLER_UNKNOWN, grown.unknown)] if grown.unknown else []),
        ]
        return gaps

    def _account_for_sending(self, grown: Counts, now: Counts, stages: list[Stage]) -> list[int]:
        if not self._sends(grown):
            return []
        begun = self._start.tx_waiting + self._start.pending
        stages += [
            Stage(Line.HANDED, grown.handed),
            *([Stage(Line.FINISHED, grown.finished)] if grown.finished else []),
            *([Stage(Line.UNFINISHED, grown.unfinished)] if grown.unfinished else []),
            *([Stage(Line.LEFT_TO_DEVICE, grown.left_to_device)] if grown.left_to_device else []),
            *([Stage(Line.OVERSIZED, grown.oversized)] if grown.oversized else []),
            *([Stage(Line.TX_BEGUN, begun)] if begun else []),
            Stage(Line.TX_WAITING, now.tx_waiting),
            *([Stage(Line.TX_CLOSED, grown.tx_closed)] if grown.tx_closed else []),
            Stage(Line.TAKEN, grown.taken),
            Stage(Line.TX_INVALID, grown.tx_invalid),
            Stage(Line.PENDING, now.pending),
            Stage(Line.COMPLETED, grown.completed),
            Stage(Line.TX_DROPPED, grown.tx_dropped),
        ]
        gaps = [
            grown.handed + self._start.tx_waiting - now.tx_waiting - grown.tx_closed - grown.taken,
        ]
        # The device counts packets, and the rings frames: with several frames a packet they differ.
        if self._points.veth and not self._had_multi_buffer():
            missing = grown.completed - grown.tx_dropped - grown.far_end
            stages += [
                Stage(Line.TX_OTHERS, max(-missing, 0)),
                Stage(Line.FAR_END, grown.far_end),
            ]
            gaps.append(max(missing, 0))
        return gaps

    def _is_short(self, grown: Counts) -> bool:
        """Tell whether the generator sent fewer frames than it was asked for."""
        return self._traffic is not None and is_short(grown.asked, grown.sent, self._traffic.rate)

    def _sends(self, grown: Counts) -> bool:
        return bool(grown.handed or grown.taken) or self._engine.action != "drop"

    def _had_multi_buffer(self) -> bool:
        return self._engine.configuration.memory.multi_buffer or "multi_buffer" in self._changed()

    def _changed(self) -> dict[str, object]:
        """Return the knobs changed since the ledger began, with their last values."""
        changes = self._engine.journal.changes
        return {c.knob: c.after for c in changes if c.time_ns > self._begun_ns}

    def _reconfigured(self) -> dict[str, object]:
        """Return the changes by `reconfigure` since the ledger began."""
        sockets = names_of_home("sockets")
        return {name: value for name, value in self._changed().items() if name in sockets}
