"""The benchmark `paths`: the same packets, received by each path and peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdplab.bench.benchmark import Benchmark, Option
from xdplab.bench.peers.python_socket import SocketReceiver
from xdplab.bench.peers.scapy_sniff import SniffReceiver
from xdplab.bench.peers.tcpdump import TcpdumpReceiver
from xdplab.bench.peers.testpmd import AF_PACKET, TestpmdReceiver
from xdplab.bench.receiver import CALLS, COSTS, OWN, RATES, OurWorker, Receiver, entry
from xdplab.bench.report.report import COSTS_NOTE, costs, median, versions
from xdplab.bench.rounds import Entry, Rounds, fastest, ratio
from xdplab.bench.wire import open_wire
from xdplab.core.checks import choice
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import PATHS, WAIT_STRATEGIES
from xdplab.net.stream import Rate, interval_ps

_WAITS = ("spin", "poll", "uring-multishot", "adaptive")
_FIGURES = (*RATES, *COSTS, *OWN, *CALLS)
_CEILING = "xdp"
_PYTHON, _TESTPMD = "Python socket", "testpmd af_xdp"


def paths(
    rounds: int = 3,
    seconds: float = 2.0,
    rate: float = 10_000,
    waits: Sequence[str] = _WAITS,
    quiet: bool = False,
) -> dict[str, Any]:
    """Let one generator send to one receiver after the other, below and at saturation.

    One lab, one in-kernel generator of 64-byte frames on a core of its own. In turn on another
    core: xdplab's worker on each path, on AF_XDP with some of the wait strategies; and the
    installed peers, each controlled by its own command line and read by its own counters:
    `dpdk-testpmd` in rxonly on its AF_XDP driver, with and without busy polling, and on its
    AF_PACKET driver; `tcpdump`; a raw socket in Python; scapy's `sniff`. Each round runs all of
    them at both loads, every second one in reverse order; each run has a fresh receiver and a
    warm-up.

    Parameters
    ----------
    rounds
        Runs of each receiver at each load, 1 to 1000.
    seconds
        Length of a run, without the warm-up.
    rate
        Frames a second of the lower load. ``lost_percent`` shows receivers that can't keep up.
    waits
        Wait strategies on AF_XDP, one at least.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Returns
    -------
    dict
        For JSON:

        - ``benchmark`` ("paths"), ``date``, ``simulated`` (False), ``rounds``, ``seconds``,
          ``traffic`` and ``machine`` as those of `rxdrop`, with the ``rates``;
        - ``entries``, one a receiver and load: ``name``, ``rate`` (a number, or "max"), and all
          fields of those of `rxdrop` except the ratio, with ``wakeups_per_second``,
          ``syscalls_per_second`` and ``rearms_per_second`` among the figures with a spread;
        - ``best``: the name of xdplab's fastest entry on AF_XDP at the higher load;
        - ``comparisons`` of its median rate with others at that load, each with ``name`` and
          ``ratio``, None if missing: the raw socket in Python, the faster testpmd on AF_XDP, and
          "xdp", which only counts and drops: the most that the wire can deliver.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When no lab or no generator can be made here. The result has the errors of single
        receivers.
    """
    turns = Rounds("paths", rounds, seconds, quiet)
    if not interval_ps(rate):
        raise ConfigurationError(f"rate={rate!r} must be a number: the other load is 'max'.")
    if not waits:
        raise ConfigurationError("waits=() must be at least one wait strategy.")
    receivers = _receivers([choice("waits", wait, WAIT_STRATEGIES) for wait in waits])
    loads: tuple[Rate, ...] = (rate, "max")
    with open_wire() as wire:
        entries = [
            entry(receiver, wire, seconds, load, {"rate": load})
            for load in loads
            for receiver in receivers
        ]
        turns.take(entries)
        traffic = {"rates": list(loads), **wire.as_dict()}
        result = turns.result(wire.lab, entries, _FIGURES, traffic)
    for place, receiver in zip(result["entries"], receivers * len(loads), strict=True):
        place |= {
            "program": receiver.program,
            "version": receiver.version,
            "settings": receiver.settings,
        }
    return result | _compared(entries[-len(receivers) :])


def _receivers(waits: Sequence[str]) -> list[Receiver]:
    return [
        *(OurWorker(wait, f"xsk {wait}") for wait in dict.fromkeys(waits)),
        *(OurWorker(None, path=path) for path in PATHS if path != "xsk"),
        TestpmdReceiver(name=_TESTPMD),
        TestpmdReceiver(busy_budget=0, name=f"{_TESTPMD} budget 0"),
        TestpmdReceiver(AF_PACKET, name="testpmd af_packet"),
        TcpdumpReceiver(),
        SocketReceiver(),
        SniffReceiver(),
    ]


def _compared(entries: Sequence[Entry]) -> dict[str, Any]:
    """Compare xdplab's fastest entry on AF_XDP with others at the same load."""

    def fastest_of(prefix: str) -> Entry | None:
        return fastest(entry for entry in entries if entry.name.startswith(prefix))

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
    run=paths,
    help="every receive path on the same packets, beside programs that others wrote",
    options={
        "rounds": Option(3, "runs of each"),
        "seconds": Option(2.0, "of each run"),
        "rate": Option(10_000.0, "packets a second of the load below saturation"),
        "waits": Option(_WAITS, "wait strategies on AF_XDP"),
    },
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
