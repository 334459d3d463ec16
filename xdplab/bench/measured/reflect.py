"""The benchmark `reflect`: the rate of frames sent back by wait strategy, and its kicks."""

from __future__ import annotations

from functools import partial
from typing import Any

from xdplab.bench.benchmark import Benchmark, Option
from xdplab.bench.peers.peer_receiver import settled
from xdplab.bench.receiver import COSTS, OurWorker, told_later
from xdplab.bench.report.report import COSTS_NOTE, costs, least_to_most, median
from xdplab.bench.rounds import Entry, Rounds
from xdplab.bench.wire import REST_SECONDS, Wire, open_wire
from xdplab.configuration.keywords import grouped
from xdplab.engine.engine import WAIT_STRATEGIES, Engine
from xdplab.experiments.measure import Measurement, measure_whole

_SETTLE_SECONDS = 10.0
_FIGURES = ("returned_pps", "kicks_per_second", "frames_per_kick", *COSTS)


def reflect(rounds: int = 5, seconds: float = 2.0, quiet: bool = False) -> dict[str, Any]:
    """Let xdplab's worker send back all it can, with each wait strategy.

    One lab, one in-kernel generator of 64-byte frames as fast as it can, each on a core of its own.
    The strategies take turns, every second round backwards; each run has a fresh engine and a
    warm-up. It counts the frames that came back to the sender, by the kernel's count there: a
    completed frame need not have arrived. `spin`, `poll` and others kick the kernel by ``sendto``,
    which sends at once; the strategies on io_uring kick through io_uring, and with `uring-sqpoll` a
    kernel thread sends.

    Parameters
    ----------
    rounds
        Runs of each, 1 to 1000.
    seconds
        Length of a run, without the warm-up.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Returns
    -------
    dict
        For JSON: ``benchmark``, ``simulated``, ``rounds``, ``seconds``, ``traffic`` and ``machine``
        as those of `rxdrop`; ``entries``, one a strategy, with ``settings``, ``status``,
        ``reason``, ``ineffective``, ``runs``, and over the runs ``{"median", "least", "most"}`` of
        ``returned_pps`` (packets a second that came back), ``kicks_per_second``,
        ``frames_per_kick``, and the times a packet as those of `rxdrop`.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When no lab or no generator can be made here. The result has the errors of single
        strategies.
    """
    turns = Rounds("reflect", rounds, seconds, quiet)
    with open_wire() as wire:
        entries = [
            Entry(worker.name, partial(_run, worker, wire, seconds), {"settings": worker.settings})
            for worker in (OurWorker(wait, action="reflect") for wait in WAIT_STRATEGIES)
        ]
        turns.take(entries)
        traffic = {"rate": "max", **wire.as_dict()}
        return turns.result(wire.lab, entries, _FIGURES, traffic)


def _run(worker: OurWorker, wire: Wire, seconds: float) -> dict[str, Any]:
    measured, returned = there_and_back(worker, wire, seconds)
    return {
        "seconds": measured.seconds,
        "sent": measured.sent,
        "returned": returned,
        "returned_pps": round(returned / measured.seconds, 1),
        "kicks_per_second": round(measured.kicks / measured.seconds, 1),
        "frames_per_kick": round(returned / measured.kicks, 1) if measured.kicks else None,
        "balanced": measured.balanced,
        "ineffective": measured.wait_note or None,
        **{name: getattr(measured, name) for name in COSTS},
    }


def there_and_back(worker: OurWorker, wire: Wire, seconds: float) -> tuple[Measurement, int]:
    """Measure a worker's run; return the measurement and the number of frames that came back."""

    def back() -> int:
        count = wire.lab.peer.interface.link_statistics
        return settled("the sender", lambda: count()["rx_packets"], _SETTLE_SECONDS)

    settings = grouped(worker.settings)
    with told_later(), Engine(wire.lab.port, cpu=wire.worker, **settings) as engine:
        wire.warm_up(REST_SECONDS)
        before = back()
        measured = measure_whole(engine, wire.traffic, seconds)
        return measured, back() - before


BENCHMARK = Benchmark(
    run=reflect,
    help="what each wait strategy sends back, and what its kicks cost",
    options={
        "rounds": Option(5, "runs of each"),
        "seconds": Option(2.0, "of each run"),
    },
    title="million packets a second that came back",
    columns=(
        median("back", "returned_pps", 1e6, 3),
        least_to_most("returned_pps", 1e6, 3),
        *costs(),
        median("sqpoll\nns", "sqpoll_ns_per_packet"),
        median("kicks\nk/s", "kicks_per_second", 1e3),
        median("frames\na kick", "frames_per_kick"),
    ),
    notes=lambda _result: [COSTS_NOTE],
)
