"""The benchmark `paths`: the same packets, received by each path and peer.

At two loads, at a rate and as fast as the generator can, these receive: xdplab's worker on each
path, on AF_XDP with some of the wait strategies; and the installed peers, each controlled by its
own command line and read by its own counters: `dpdk-testpmd` in rxonly on its AF_XDP driver, with
and without busy polling, and on its AF_PACKET driver; `tcpdump`; a raw socket in Python; scapy's
`sniff`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths, load, waits
from xdplab.bench.peers.python_socket import SocketReceiver
from xdplab.bench.peers.scapy_sniff import SniffReceiver
from xdplab.bench.peers.tcpdump import TcpdumpReceiver
from xdplab.bench.peers.testpmd import AF_PACKET, TestpmdReceiver
from xdplab.bench.receiver import CALLS, COSTS, OWN, RATES, OurWorker, Receiver
from xdplab.bench.report.report import COSTS_NOTE, costs, median, versions
from xdplab.bench.rounds import Entry, fastest, ratio
from xdplab.engine.engine import PATHS

_CEILING = "xdp"
_PYTHON, _TESTPMD = "Python socket", "testpmd af_xdp"


def _receivers(waits: Sequence[str]) -> list[Receiver]:
    return [
        *(OurWorker(wait, f"xsk {wait}") for wait in waits),
        *(OurWorker(None, path=path) for path in PATHS if path != "xsk"),
        TestpmdReceiver(name=_TESTPMD),
        TestpmdReceiver(busy_budget=0, name=f"{_TESTPMD} budget 0"),
        TestpmdReceiver(AF_PACKET, name="testpmd af_packet"),
        TcpdumpReceiver(),
        SocketReceiver(),
        SniffReceiver(),
    ]


def _compare(entries: Sequence[Entry]) -> dict[str, Any]:
    """Compare xdplab's fastest entry on AF_XDP with others, as fast as the generator can."""
    at_most = [entry for entry in entries if entry.labels["rate"] == "max"]

    def fastest_of(prefix: str) -> Entry | None:
        return fastest(entry for entry in at_most if entry.name.startswith(prefix))

    best = fastest_of("xsk ")
    others = {name: fastest_of(name) for name in (_PYTHON, _TESTPMD, _CEILING)}
    return {
        "best": best and best.name,
        "comparisons": [
            {
                "name": other.name if other else name,
                "ratio": best and other and ratio(best, other, "rx_pps"),
            }
            for name, other in others.items()
        ],
    }


def _notes(result: Mapping[str, Any]) -> list[str]:
    told = [
        f"{comparison['ratio']:.2f} times as much as {comparison['name']}"
        for comparison in result["comparisons"]
        if comparison["ratio"] is not None
    ]
    lines = [f"{COSTS_NOTE}, cpu is all threads of the receiver", versions(result)]
    if told:
        lines.append(f"at all that can be sent, {result['best']} receives {', '.join(told)}")
    return lines


def _load(place: Mapping[str, Any]) -> str:
    return "all that can be sent" if place["rate"] == "max" else f"{place['rate']:,.0f} sent"


BENCHMARK = Benchmark(
    name="paths",
    help="every receive path on the same packets, beside programs that others wrote",
    options={
        **lengths(3, 2.0),
        "rate": load(10_000.0),
        "waits": waits("wait strategies on AF_XDP"),
    },
    measure=OneWire(receivers=_receivers, figures=(*RATES, *COSTS, *OWN, *CALLS), compare=_compare),
    title="thousand packets a second",
    columns=(
        median("recv", "rx_pps", 1e3),
        median("lost\n%", "lost_percent"),
        *costs("cpu", "user", "idle", "sys", "softirq"),
        median("calls\n/pkt", "syscalls_per_packet", digits=2),
    ),
    group=_load,
    notes=_notes,
)
