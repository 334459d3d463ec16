"""The benchmark `reflect`: the rate of frames sent back by wait strategy, and its kicks.

xdplab's worker sends back all it can. Frames that came back to the sender are counted by the
kernel there: a completed frame need not have arrived. `spin`, `poll` and others kick the kernel by
``sendto``, which sends at once; the strategies on io_uring kick through io_uring, and with
`uring-sqpoll` a kernel thread sends.
"""

from __future__ import annotations

from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths
from xdplab.bench.peers.peer_receiver import settled
from xdplab.bench.receiver import COSTS, OurWorker, Receiver, told_later
from xdplab.bench.report.report import COSTS_NOTE, costs, least_to_most, median
from xdplab.bench.wire import REST_SECONDS, Wire
from xdplab.configuration.keywords import grouped
from xdplab.engine.engine import WAIT_STRATEGIES, Engine
from xdplab.experiments.measure import Measurement, measure_whole

_SETTLE_SECONDS = 10.0


def _take(worker: Receiver, wire: Wire, seconds: float) -> dict[str, Any]:
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


def there_and_back(worker: Receiver, wire: Wire, seconds: float) -> tuple[Measurement, int]:
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
    name="reflect",
    help="what each wait strategy sends back, and what its kicks cost",
    options=lengths(5, 2.0),
    measure=OneWire(
        receivers=lambda: [OurWorker(wait, action="reflect") for wait in WAIT_STRATEGIES],
        figures=("returned_pps", "kicks_per_second", "frames_per_kick", *COSTS),
        take=_take,
    ),
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
