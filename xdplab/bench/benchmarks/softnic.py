"""The benchmark `softnic`: the engine's own limit, without the kernel.

xdplab's worker drops, and sends back, all it can on a soft NIC. The wire's thread does the kernel's
side of the rings and makes the frames. So it shows the engine's rate if the kernel cost nothing; it
says nothing about a network.
"""

from __future__ import annotations

from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.benchmarks.reflect import there_and_back
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths, wait
from xdplab.bench.receiver import OurWorker, Receiver, lost_percent
from xdplab.bench.report.report import costs, least_to_most, median
from xdplab.bench.wire import Wire

_COSTS = ("user_ns_per_packet", "idle_ns_per_packet", "sys_ns_per_packet")


def _take(worker: Receiver, wire: Wire, seconds: float) -> dict[str, Any]:
    measured, returned = there_and_back(worker, wire, seconds)
    through = returned if worker.name == "reflect" else measured.rx_packets
    sent = measured.sent or 0
    return {
        "seconds": measured.seconds,
        "sent": sent,
        "rx_packets": measured.rx_packets,
        "pps": round(through / measured.seconds, 1),
        "sent_pps": measured.sent_pps,
        "lost_percent": lost_percent(sent, through),
        "balanced": measured.balanced,
        "ineffective": measured.wait_note or None,
        **{name: getattr(measured, name) for name in _COSTS},
    }


BENCHMARK = Benchmark(
    name="softnic",
    help="the engine's own limit, on a simulated NIC",
    options={**lengths(5, 2.0), "wait": wait("spin")},
    measure=OneWire(
        receivers=lambda wait: [
            OurWorker(wait, action, action=action) for action in ("drop", "reflect")
        ],
        figures=("pps", "sent_pps", "lost_percent", *_COSTS),
        take=_take,
        backend="soft",
    ),
    title="million packets a second",
    columns=(
        median("through", "pps", 1e6, 1),
        least_to_most("pps", 1e6, 1),
        median("offered", "sent_pps", 1e6, 1),
        *costs("user", "idle", "sys"),
    ),
    notes=lambda _result: [
        "ns are the worker's for a received packet: user is its work, idle is empty polls",
        "a thread plays the kernel's side of the rings: the engine's own limit, not a network's",
    ],
)
