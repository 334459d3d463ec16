"""What is read from a telemetry region, as tables: counters, history, samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xdplab.core.errors import ClosedError
from xdplab.core.table import Row, Table, Tabled
from xdplab.core.tabled_array import TabledArray, TabledRecord, shown_as
from xdplab.core.text import counted, duration, percent, si, spaced
from xdplab.native.records import (
    CONTROL,
    COUNTERS,
    ELEMENTS,
    HANDLED,
    RINGS,
    SYSCALLS,
    VERDICTS,
    names_of,
)

if TYPE_CHECKING:
    import pandas

    from xdplab.telemetry.region import Telemetry

_STATES = names_of("xdplab_state", "XDPLAB_STATE_")
_STATE_WORDS = {"failed": "ended by itself"}

_PACKETS = {
    "rx_ring_full": "lost: RX ring full",
    "rx_fill_ring_empty_descs": "lost: no fill descriptor",
    "rx_too_long": "dropped: too many frames",
    "rx_closed": "lost: in an RX ring that was closed",
    "tx_closed": "lost: in a TX ring that was closed",
    "stream_missing": "missing numbers",
    "stream_late": "late",
    "samples": "sampled",
}
_EVENTS = {
    "wakeups": "wakeups",
    "timeouts": "sleeps that timed out",
    "rearms": "rearmed polls",
    "empty_polls": "empty polls",
    "kicks": "kicks",
    "voluntary_switches": "left its core by itself",
    "involuntary_switches": "lost its core",
}
LOST = ("rx_ring_full", "rx_dropped", "rx_too_long")
"""Counters of packets that came to a socket and were lost there."""

_BYTES_SHOWN = 16


class Counters(TabledRecord):
    """A record of dtype `COUNTERS`."""

    __slots__ = ()

    def _table(self) -> Table:
        count = {name: int(self[name]) for name in COUNTERS.names or () if not self[name].ndim}
        if not count["time_ns"]:
            return Table("Counters: no record yet, the worker has not run.")
        batches, calls = self["batches"], self["syscalls"]
        verdicts = zip(map(spaced, HANDLED), self["handled"].tolist(), strict=True)
        rows = [
            ("state", _state(self)),
            ("received", _flow(count["rx_packets"], count["rx_bytes"])),
            ("sent", _flow(count["tx_packets"], count["tx_bytes"])),
            *_counted(count, _PACKETS, "packet"),
            *(
                (f"handler: {name.replace('_', ' ')}", counted(n, "packet"))
                for name, n in verdicts
                if n
            ),
            ("RX ring, peak", counted(count["rx_peak"], "packet")),
            ("batches", _per(int(batches.sum()), count["rx_packets"], "packets a batch")),
            *_counted(count, _EVENTS, ""),
            ("system calls", _calls(calls)),
            ("CPU time", duration(count["cpu_ns"])),
            (" on packets", _share(count["user_ns"], count["cpu_ns"])),
            (" on empty polls", _share(count["idle_ns"], count["cpu_ns"])),
        ]
        if count["sqpoll_ns"]:
            rows.append(("CPU time of the submission thread", duration(count["sqpoll_ns"])))
        return Table("Counters since the engine was opened", rows)


class History(TabledArray):
    """Records of dtype `COUNTERS`, oldest first, shown with the rates from each to the next."""

    kind = "record"

    def _elements(self, name: str, column: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        if name not in ELEMENTS:
            return super()._elements(name, column)
        return {f"{name}_{kind}": column[:, number] for number, kind in enumerate(ELEMENTS[name])}

    def _table(self) -> Table:
        if self.dtype.names != COUNTERS.names:
            return super()._table()
        last = self._last()
        first = max(self.size - len(last) - 1, 0)  # one more, for the differences
        records = self.reshape(-1)[first:].view(np.ndarray)
        rows = [
            _rates(records[max(n - 1, 0)], records[n], records[-1])
            for n in range(len(records) - len(last), len(records))
        ]
        headings = ("at, s", "received/s", "lost/s", "sent/s", "RX peak", "wakeups/s", "CPU %")
        return Table(self._title(), rows, headings if rows else ())


class Samples(TabledArray):
    """Sampled frames, oldest first."""

    kind = "sample"

    def _elements(self, name: str, column: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        if name != "bytes" or "captured" not in (self.dtype.names or ()):
            return super()._elements(name, column)
        kept = np.empty(len(self), object)
        for number, (frame, captured) in enumerate(zip(column, self["captured"], strict=True)):
            kept[number] = frame[:captured].tobytes()
        return {name: kept}

    def _table(self) -> Table:
        if "bytes" not in (self.dtype.names or ()):
            return super()._table()
        last = self._last()
        newest = int(last[-1]["time_ns"]) if len(last) else 0
        rows = [_sample(each, newest) for each in last]
        headings = ("at, s", "frame", "bytes", "queue", "verdict", "latency", "begins with")
        return Table(self._title(), rows, headings if rows else ())


class Read(Tabled, dict[Any, Any]):
    """Records that were read, and the number to read on from.

    ``records, next = telemetry.history()`` unpacks it. By the name of a column it gives that, and
    ``pandas.DataFrame(telemetry.history())`` takes it: pandas takes columns from a `dict` only.
    """

    def __init__(self, records: Any, next: int) -> None:
        super().__init__()
        self.records, self.next = records, next

    def __iter__(self) -> Iterator[Any]:
        return iter((self.records, self.next))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, key: Any) -> Any:
        return (self.records, self.next)[key] if isinstance(key, int) else self._columns()[key]

    def __contains__(self, name: object) -> bool:
        return name in self._columns()

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # as that of a dict

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.records, self.next)

    def keys(self) -> Any:
        """Return the names of its columns."""
        return self._columns().keys()

    def _columns(self) -> dict[str, Any]:
        return dict(self.records.columns())

    def _table(self) -> Table:
        table = self.records._table()
        return Table(table.title, table.rows, table.headings, (f"next: {self.next}",))

    def frame(self) -> pandas.DataFrame:
        """Return the records as a pandas frame, as ``pandas.DataFrame(records)`` does.

        Raises
        ------
        ConfigurationError
            When pandas is missing.
        """
        found: pandas.DataFrame = self.records.frame()
        return found


class Sample(TabledRecord):
    """A sampled frame."""


class Rings(TabledRecord):
    """A record of dtype `RINGS`."""


class Control(TabledRecord):
    """A record of dtype `CONTROL`."""


SHOWN_COUNTERS = shown_as(Counters, COUNTERS)
SHOWN_RINGS = shown_as(Rings, RINGS)
SHOWN_CONTROL = shown_as(Control, CONTROL)
"""The dtypes of a region, with scalars that are shown as tables."""


def _flow(packets: int, size: int) -> str:
    return f"{counted(packets, 'packet')}, {si(size)}B"


def _counted(count: dict[str, int], names: dict[str, str], thing: str) -> list[tuple[str, str]]:
    return [
        (label, counted(count[name], thing) if thing else f"{count[name]:,}")
        for name, label in names.items()
        if count[name]
    ]


def _per(number: int, packets: int, what: str) -> str:
    return f"{number:,}, {packets / number:.1f} {what}" if number else "0"


def _calls(calls: npt.NDArray[Any]) -> str:
    told = [f"{int(calls[n]):,} {name}" for n, name in enumerate(SYSCALLS) if calls[n]]
    return ", ".join(told) or "0"


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if part and whole else "0 %"


def _rates(before: Any, now: Any, newest: Any) -> Row:
    seconds = (int(now["time_ns"]) - int(before["time_ns"])) / 1e9
    at = f"{(int(now['time_ns']) - int(newest['time_ns'])) / 1e9:.2f}"
    peak = f"{int(now['rx_peak']):,}"
    if seconds <= 0:  # of the first there is none before
        return (at, "-", "-", "-", peak, "-", "-")

    def rate(*names: str) -> float:
        return sum(max(int(now[name]) - int(before[name]), 0) for name in names) / seconds

    flows = (rate("rx_packets"), rate(*LOST), rate("tx_packets"))
    received, lost, sent = (f"{each:,.0f}" for each in flows)
    wakeups, cpu = f"{rate('wakeups'):,.0f}", f"{rate('cpu_ns') / 1e7:.0f}"
    return (at, received, lost, sent, peak, wakeups, cpu)


def _sample(sample: Any, newest: int) -> Row:
    sent, seen = int(sample["sent_ns"]), int(sample["time_ns"])
    begins = sample["bytes"][: min(int(sample["captured"]), _BYTES_SHOWN)].tobytes()
    return (
        f"{(seen - newest) / 1e9:.4f}",
        f"{int(sample['frame']):,}",
        f"{int(sample['length']):,}",
        str(int(sample["queue"])),
        VERDICTS[min(int(sample["verdict"]), len(VERDICTS) - 1)],
        duration(seen - sent) if sent else "-",
        begins.hex(" ", 2),
    )


def _state(record: Any) -> str:
    """Return a worker's state in words; of several workers the worst."""
    state = _STATES[min(int(record["state"]), len(_STATES) - 1)]
    return _STATE_WORDS.get(state, state)


# Fields whose sum over workers has no meaning.
_COMBINED: dict[str, Any] = {
    "time_ns": np.min,
    "state": np.max,
    "fault": np.max,
    "rx_peak": np.max,
    "handler_longest_ns": np.max,
    "handler_longest_packets": np.max,
    "needs_wakeup": np.bitwise_or.reduce,
}


def combined(each: npt.NDArray[Any]) -> Any:
    """Add up the newest records of all workers, as `Telemetry.total` says."""
    total = each[:1].copy()
    for name in COUNTERS.names or ():
        if not name.startswith("control_"):
            total[name] = _COMBINED.get(name, np.sum)(each[name], axis=0)
    return total[0]


def telemetry_table(telemetry: Telemetry) -> Table:
    """Return a row for each worker of a region."""
    simulated = " [simulated]" if telemetry.header["simulated"] else ""
    title = f"<Telemetry of {counted(telemetry.workers, 'worker')}{simulated}"
    rows = []
    try:
        for worker, name in enumerate(telemetry.interfaces):
            rows.append((str(worker), name, *_worker(telemetry.counters(worker))))
    except ClosedError:
        return Table(f"{title}, closed>")
    headings = ("worker", "interface", "state", "received", "lost", "sent", "CPU time")
    return Table(f"{title}>", rows, headings)


def _worker(record: Any) -> Row:
    packets = (
        int(record["rx_packets"]),
        sum(int(record[name]) for name in LOST),
        int(record["tx_packets"]),
    )
    if not record["time_ns"]:
        return ("has not run", "0", "0", "0", "0")
    return (_state(record), *(f"{number:,}" for number in packets), duration(int(record["cpu_ns"])))
