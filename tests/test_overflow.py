"""Why a ring was full: judged by the records of the time in which the loss came."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from xdplab.knobs.journal import Change
from xdplab.ledger.overflow import Overflow, Overflows
from xdplab.native import lib
from xdplab.telemetry.region import Telemetry
from xdplab.telemetry.tables import COUNTERS

MS = 1_000_000


@dataclass
class Records:
    """A region of one worker, whose history forgets all but the last records."""

    kept: int = 1000
    rows: list[Any] = field(default_factory=list)
    workers: int = 1
    now: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add(0)

    def add(self, ms: int, **grown: int) -> None:
        """Append a record so much later, with counters that have grown."""
        for name, value in {"time_ns": ms * MS, **grown}.items():
            self.now[name] = self.now.get(name, 0) + value
        row = np.zeros(1, COUNTERS)
        for name, value in self.now.items():
            row[name] = value
        row["state"] = lib.XDPLAB_STATE_RUNNING
        self.rows.append(row)

    def history(self, since: int = 0, worker: int = 0) -> tuple[Any, int]:
        """Return the last records."""
        first = max(since, len(self.rows) - self.kept)
        return np.concatenate([np.zeros(0, COUNTERS), *self.rows[first:]]), len(self.rows)

    def long_history(self, since: int = 0, worker: int = 0) -> tuple[Any, int]:
        """Return every other record, however old."""
        return np.concatenate(self.rows[::2]), len(self.rows) // 2


def engine(records: Records, *changes: Change, wait: str = "spin") -> Any:
    journal = SimpleNamespace(changes=changes)
    return SimpleNamespace(telemetry=records, journal=journal, wait=wait, ring_size=1024)


def begin(records: Records) -> Overflows:
    return Overflows.from_now_on(cast("Telemetry", records))


def read(overflows: Overflows, of: Any) -> Overflow:
    did = overflows.read(of)
    assert did is not None
    return did


def pause(records: Records, ms: int, lost: int) -> None:
    """Let the worker lose its core, and packets with that."""
    records.add(ms, rx_ring_full=lost, rx_packets=10, cpu_ns=MS, involuntary_switches=1)


def rest(records: Records, ms: int) -> None:
    """Let it spin, at work for a tenth of the time."""
    records.add(ms, rx_packets=1000, cpu_ns=ms * MS, idle_ns=9 * ms * MS // 10)


def test_time_without_loss_changes_nothing() -> None:
    records = Records()
    overflows, spinning = begin(records), engine(records)
    assert overflows.read(spinning) is None
    pause(records, 100, 5000)
    first = read(overflows, spinning)
    assert (first.contended, first.ran, first.seconds) == (True, 0.01, 0.1)
    for _ in range(50):
        rest(records, 10)
        assert read(overflows, spinning) == first


def test_pauses_with_rest_between_them_do_not_add_up_and_others_do() -> None:
    records = Records()
    overflows, spinning = begin(records), engine(records)
    for _ in range(3):
        pause(records, 100, 5000)
        rest(records, 100)
    assert read(overflows, spinning).backlog == 5000
    for _ in range(3):
        pause(records, 100, 5000)
    assert read(overflows, spinning).backlog == 15_000


def test_the_cause_is_that_of_most_packets() -> None:
    records = Records()
    overflows, sleeping = begin(records), engine(records, wait="poll")
    pause(records, 100, 5000)
    records.add(10, rx_ring_full=6000, rx_packets=6000, cpu_ns=10 * MS, voluntary_switches=1)
    assert read(overflows, sleeping).saturated
    pause(records, 100, 2000)
    did = read(overflows, sleeping)
    assert did.contended
    assert not did.saturated


def test_time_off_the_core_is_that_of_each_sleep() -> None:
    records = Records()
    overflows, sleeping = begin(records), engine(records, wait="poll")
    records.add(10, rx_ring_full=500, rx_packets=500, cpu_ns=2 * MS, voluntary_switches=160)
    did = read(overflows, sleeping)
    assert did.away == 50e-6
    assert not did.saturated


def test_settings_are_those_of_the_time_of_the_loss() -> None:
    records = Records()
    overflows = begin(records)
    pause(records, 100, 5000)
    later = (Change(200 * MS, "wait", "poll", "spin"), Change(210 * MS, "ring_size", 64, 1024))
    did = read(overflows, engine(records, *later))
    assert (did.wait, did.ring_size) == ("poll", 64)


def test_what_the_history_no_longer_has_is_read_from_the_long_one() -> None:
    records = Records(kept=2)
    overflows, spinning = begin(records), engine(records)
    rest(records, 10)
    pause(records, 100, 5000)
    for _ in range(9):
        rest(records, 10)
    did = read(overflows, spinning)
    assert 0.1 <= did.seconds <= 0.12
    assert did.backlog == 5000
