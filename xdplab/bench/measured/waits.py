"""The benchmark `waits`: the rate and the CPU time per packet of each wait strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdplab.bench.benchmark import Benchmark, Option
from xdplab.bench.receiver import CALLS, COSTS, RATES, OurWorker, entry
from xdplab.bench.report.report import COSTS_NOTE, costs, median
from xdplab.bench.rounds import Rounds
from xdplab.bench.wire import open_wire
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import WAIT_STRATEGIES
from xdplab.net.stream import Rate, interval_ps

_FIGURES = (*RATES, *COSTS, *CALLS)


def waits(
    rounds: int = 3, seconds: float = 2.0, rate: float = 200_000, quiet: bool = False
) -> dict[str, Any]:
    """Let xdplab's worker receive with each wait strategy, below and at saturation.

    One lab, one in-kernel generator of 64-byte frames on a core of its own, and on another core
    xdplab's worker, which drops all packets, with each wait strategy in turn. Each round runs all
    of them at both loads, every second one in reverse order; each run has a fresh engine and a
    warm-up.

    Parameters
    ----------
    rounds
        Runs of each strategy at each load, 1 to 1000.
    seconds
        Length of a run, without the warm-up.
    rate
        Frames a second of the lower load. ``lost_percent`` shows whether it is below saturation.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Returns
    -------
    dict
        For JSON:

        - ``benchmark`` ("waits"), ``simulated`` (False), ``rounds``, ``seconds``, ``traffic`` and
          ``machine`` as those of `rxdrop`, with the ``rates``;
        - ``entries``, one a strategy and load: ``name`` (the strategy), ``rate`` (a number, or
          "max"), ``settings``, ``status`` ("measured" or "failed") with the ``reason``;
          ``ineffective``, why the strategy has no effect on this device, or None; ``runs`` as
          those of `rxdrop`; and over the runs ``{"median", "least", "most"}``, or None if
          nothing could be measured, of ``rx_pps``, ``sent_pps``, ``lost_percent``,
          ``user_ns_per_packet`` (the worker at its packets), ``idle_ns_per_packet`` (empty polls
          of a strategy that spins), ``sys_ns_per_packet`` (the rest of the worker's CPU time),
          ``softirq_ns_per_packet`` (network softirqs on both cores), ``sqpoll_ns_per_packet``
          (io_uring's submission thread), ``wakeups_per_second``, ``syscalls_per_second`` (without
          telemetry's own) and ``rearms_per_second``.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When no lab or no generator can be made here. The result has the errors of single
        strategies.
    """
    turns = Rounds("waits", rounds, seconds, quiet)
    if not interval_ps(rate):
        raise ConfigurationError(f"rate={rate!r} must be a number: the other load is 'max'.")
    loads: tuple[Rate, ...] = (rate, "max")
    with open_wire() as wire:
        entries = [
            entry(worker, wire, seconds, load, {"rate": load, "settings": worker.settings})
            for load in loads
            for worker in map(OurWorker, WAIT_STRATEGIES)
        ]
        turns.take(entries)
        return turns.result(wire.lab, entries, _FIGURES, {"rates": list(loads), **wire.as_dict()})


def _load(place: Mapping[str, Any]) -> str:
    return "at saturation" if place["rate"] == "max" else f"at {place['rate']:,.0f} a second"


BENCHMARK = Benchmark(
    run=waits,
    help="what each wait strategy receives and costs, below and at saturation",
    options={
        "rounds": Option(3, "runs of each"),
        "seconds": Option(2.0, "of each run"),
        "rate": Option(200_000.0, "packets a second of the load below saturation"),
    },
    title="million packets a second",
    columns=(
        median("recv", "rx_pps", 1e6, 2),
        median("lost\n%", "lost_percent"),
        *costs(),
        median("sqpoll\nns", "sqpoll_ns_per_packet"),
        median("wake\nk/s", "wakeups_per_second", 1e3),
        median("calls\nk/s", "syscalls_per_second", 1e3),
        median("rearm\nk/s", "rearms_per_second", 1e3),
    ),
    group=_load,
    notes=lambda _result: [COSTS_NOTE],
)
