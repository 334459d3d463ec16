"""A measurement as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.core.table import Table
from xdplab.core.text import counted, duration, percent, rate, seconds

if TYPE_CHECKING:
    from xdplab.experiments.measure import Measurement

_COSTS = {
    "user_ns_per_packet": "CPU: at packets",
    "idle_ns_per_packet": "CPU: empty polls",
    "sys_ns_per_packet": "CPU: the rest",
    "softirq_ns_per_packet": "softirqs",
    "sqpoll_ns_per_packet": "CPU: submission thread",
}


def measurement_table(measured: Measurement) -> Table:
    """Return what was asked, sent, received and lost, and what it cost."""
    received = counted(measured.rx_packets, "packet")
    rows = [
        *_offered(measured),
        ("received", f"{received}, {rate(measured.rx_pps, 3)}"),
        *_lost(measured),
        *((label, f"{duration(ns)} a packet") for label, ns in _costs(measured)),
        *_interrupts(measured),
        ("wakeups", f"{measured.wakeups:,}"),
        ("system calls", f"{sum(measured.syscalls.values()):,}"),
        ("ledger", "adds up" if measured.balanced else "does not add up"),
    ]
    way = measured.wait or measured.path
    note = "" if measured.wait_effective else " (ineffective here)"
    mark = " [simulated]" if measured.simulated else ""
    title = f"{way}{note}, batch {measured.batch:,}, {seconds(round(measured.seconds, 3))}{mark}"
    remarks = [measured.limited, measured.error or "", *measured.explanation]
    return Table(title, rows, lines=[line for line in remarks if line])


def _offered(measured: Measurement) -> list[tuple[str, str]]:
    if measured.sent is None or measured.sent_pps is None:
        return []
    asked = "as much as it can" if measured.asked_pps is None else rate(measured.asked_pps)
    sent = f"{counted(measured.sent, 'packet')}, {rate(measured.sent_pps, 3)}"
    return [("asked", asked), ("sent", sent)]


def _lost(measured: Measurement) -> list[tuple[str, str]]:
    if measured.lost is None:
        return []
    share = f", {percent(measured.lost / measured.sent)}" if measured.lost and measured.sent else ""
    return [("lost", f"{counted(measured.lost, 'packet')}{share}")]


def _interrupts(measured: Measurement) -> list[tuple[str, str]]:
    ran = [f"{count:,} on core {core}" for core, count in measured.softirqs.items()]
    rows = [("softirqs of the machine", ", ".join(ran) or "none")]
    if measured.interrupts is not None:
        rows.insert(0, ("interrupts", f"{measured.interrupts:,}"))
    return rows


def _costs(measured: Measurement) -> list[tuple[str, float]]:
    found = {label: getattr(measured, name) for name, label in _COSTS.items()}
    return [(label, ns) for label, ns in found.items() if ns]
