"""The benchmark `rxdrop`: the rate of packets received and dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdplab.bench.benchmark import Benchmark, Option
from xdplab.bench.peers.testpmd import TestpmdReceiver
from xdplab.bench.receiver import COSTS, OWN, RATES, OurWorker, Receiver, entry
from xdplab.bench.report.report import COSTS_NOTE, Column, costs, least_to_most, median, versions
from xdplab.bench.rounds import Rounds, fastest, ratio
from xdplab.bench.wire import open_wire
from xdplab.engine.engine import WAIT_STRATEGIES


def rxdrop(rounds: int = 5, seconds: float = 3.0, quiet: bool = False) -> dict[str, Any]:
    """Let one generator send to one receiver after the other, as fast as it can.

    One lab, one in-kernel generator of 64-byte frames on a core of its own, and in turn on another
    core xdplab's worker with each wait strategy and, if installed, DPDK's `dpdk-testpmd` in
    rxonly on its AF_XDP driver: by default with busy polling, and without, which suits veth
    better. Each round runs all of them, every second one in reverse order; each run has a fresh
    receiver and a warm-up.

    Parameters
    ----------
    rounds
        Runs of each receiver, 1 to 1000.
    seconds
        Length of a run, without the warm-up.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Returns
    -------
    dict
        For JSON:

        - ``benchmark`` ("rxdrop"), ``date`` (when it began, ISO 8601), ``simulated`` (False),
          ``rounds``, ``seconds``;
        - ``traffic``: ``rate``, ``size`` (bytes), ``generator_core``, ``worker_core``;
        - ``machine``: as from `xdplab.bench.machine.describe`;
        - ``entries``, one a receiver: its ``name``, ``program``, ``version`` and ``settings``;
          ``status`` ("measured", "missing" or "failed") with the ``reason``; ``ineffective``, why
          its strategy has no effect on this device, or None; ``runs``, each with ``seconds``,
          ``sent``, ``rx_packets``, ``rx_pps``, ``sent_pps``, ``lost_percent``,
          ``softirq_ns_per_packet`` (network softirqs on both cores), ``cpu_ns_per_packet`` (all
          threads of the receiver) and, for our worker, ``balanced`` (whether its ledger added up),
          ``user_ns_per_packet``, ``idle_ns_per_packet`` (a spinning worker's empty polls),
          ``sys_ns_per_packet``, ``sqpoll_ns_per_packet`` (io_uring's submission thread),
          ``wakeups_per_second``, ``syscalls_per_packet``, ``syscalls_per_second`` and
          ``rearms_per_second``; over the runs ``{"median", "least", "most"}`` of the three rates,
          of those times and of the system calls a packet; and ``ratio``, its median rate divided
          by the reference's;
        - ``best``: the name of xdplab's fastest entry; ``reference``: that of the fastest peer;
          ``ratio``: the median rate of the first divided by that of the second. None if missing.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When no lab or no generator can be made here. The result has the errors of single
        receivers.
    """
    turns = Rounds("rxdrop", rounds, seconds, quiet)
    receivers = _receivers()
    with open_wire() as wire:
        entries = [entry(receiver, wire, seconds) for receiver in receivers]
        turns.take(entries)
        traffic = {"rate": "max", **wire.as_dict()}
        result = turns.result(wire.lab, entries, (*RATES, *COSTS, *OWN), traffic)
    best = fastest(e for r, e in zip(receivers, entries, strict=True) if _is_ours(r))
    reference = fastest(e for r, e in zip(receivers, entries, strict=True) if not _is_ours(r))
    for place, receiver, mine in zip(result["entries"], receivers, entries, strict=True):
        place |= {
            "program": receiver.program,
            "version": receiver.version,
            "settings": receiver.settings,
            "ratio": reference and ratio(mine, reference, "rx_pps"),
        }
    return result | {
        "best": best and best.name,
        "reference": reference and reference.name,
        "ratio": best and reference and ratio(best, reference, "rx_pps"),
    }


def _receivers() -> list[Receiver]:
    ours = [OurWorker(wait) for wait in WAIT_STRATEGIES]
    return [*ours, TestpmdReceiver(), TestpmdReceiver(busy_budget=0)]


def _is_ours(receiver: Receiver) -> bool:
    return receiver.program == OurWorker.program


def _notes(result: Mapping[str, Any]) -> list[str]:
    notes = [COSTS_NOTE, versions(result)]
    if result["ratio"] is not None:
        notes.append(f"{result['best']} is at {result['ratio']:.2f} of {result['reference']}")
    return notes


def _ratio(place: Mapping[str, Any]) -> str:
    return "" if place["ratio"] is None else f"{place['ratio']:.2f}"


BENCHMARK = Benchmark(
    run=rxdrop,
    help="receive and drop all that comes, beside dpdk-testpmd",
    options={
        "rounds": Option(5, "runs of each"),
        "seconds": Option(3.0, "of each run"),
    },
    title="million packets a second",
    columns=(
        median("received", "rx_pps", 1e6, 2),
        least_to_most("rx_pps", 1e6, 2),
        median("sent", "sent_pps", 1e6, 2),
        Column("ratio", _ratio),
        *costs(),
    ),
    notes=_notes,
)
