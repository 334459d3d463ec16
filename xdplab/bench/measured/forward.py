"""The benchmark `forward`: the rate of each forwarder from one wire to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from xdplab.bench.benchmark import Benchmark, Option
from xdplab.bench.crossing import Crossing, open_crossing, switch_on
from xdplab.bench.peers import testpmd
from xdplab.bench.peers.peer_receiver import settled
from xdplab.bench.peers.spending import spending
from xdplab.bench.receiver import COSTS, OWN, OurWorker, figures, told_later
from xdplab.bench.report.report import COSTS_NOTE, costs, least_to_most, median, versions
from xdplab.bench.rounds import Entry, Rounds, fastest, ratio
from xdplab.bench.wire import REST_SECONDS
from xdplab.configuration.keywords import grouped
from xdplab.core.checks import choice
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import WAIT_STRATEGIES, Engine
from xdplab.experiments.measure import measure_whole
from xdplab.net.host import Host
from xdplab.net.netlink import netlink

_WAITS = ("spin", "poll", "uring-multishot", "adaptive")
_FIGURES = ("forwarded_pps", "sent_pps", "lost_percent", *COSTS, *OWN)
_SETTLE_SECONDS = 10.0
_BRIDGE = "Linux bridge"


def forward(
    rounds: int = 5, seconds: float = 2.0, waits: Sequence[str] = _WAITS, quiet: bool = False
) -> dict[str, Any]:
    """Let one forwarder after the other forward all it can from one wire to another.

    Two labs, and on the first one's far end an in-kernel generator of 64-byte frames as fast as it
    can, on a core of its own. These take turns between the labs: xdplab's engine with each wait
    strategy, with a worker for each way; if installed, `dpdk-testpmd` in its io mode on its AF_XDP
    and AF_PACKET drivers, one thread for both ways; and the kernel's bridge, for comparison. Each
    round runs all of them, every second one in reverse order; each run has a fresh forwarder and a
    warm-up. It counts the frames that arrived at the second lab's far end, by the kernel's count
    there.

    With two cores, the idle worker of the way back shares the core of the other worker: if it
    spins, it takes half of that core.

    Parameters
    ----------
    rounds
        Runs of each, 1 to 1000.
    seconds
        Length of a run, without the warm-up.
    waits
        Our wait strategies, one at least.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Returns
    -------
    dict
        For JSON:

        - ``benchmark`` ("forward"), ``date``, ``simulated`` (False), ``rounds``, ``seconds``,
          ``traffic`` and ``machine`` as those of `rxdrop`;
        - ``entries``, one a forwarder, with ``program``, ``version``, ``settings``, ``status``,
          ``reason`` and ``ineffective`` as those of `rxdrop`; ``runs``, each with ``seconds``,
          ``sent``, ``received`` (by the forwarder's own count, None of the bridge), ``forwarded``,
          ``forwarded_pps``, ``sent_pps``, ``lost_percent`` and the times a packet as those of
          `rxdrop`; and over the runs ``{"median", "least", "most"}`` of these;
        - ``best``: the name of xdplab's fastest entry; ``reference``: that of the faster testpmd;
          ``ratio``: the median rate of the first divided by that of the second. None if missing.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When no lab or no generator can be made here. The result has the errors of single
        forwarders.
    """
    turns = Rounds("forward", rounds, seconds, quiet)
    if not waits:
        raise ConfigurationError("waits=() must be at least one wait strategy.")
    chosen = [choice("waits", wait, WAIT_STRATEGIES) for wait in dict.fromkeys(waits)]
    with open_crossing() as crossing:
        ours = [_our_entry(wait, crossing, seconds) for wait in chosen]
        peers = [
            _testpmd_entry(driver, crossing, seconds)
            for driver in (testpmd.AF_XDP, testpmd.AF_PACKET)
        ]
        entries = [*ours, *peers, _bridge_entry(crossing, seconds)]
        turns.take(entries)
        traffic = {"rate": "max", **crossing.as_dict()}
        result = turns.result(crossing.lab, entries, _FIGURES, traffic)
    for place, mine in zip(result["entries"], entries, strict=True):
        if version := next((run["version"] for run in mine.runs), None):
            place["version"] = version
    best, reference = (fastest(them, "forwarded_pps") for them in (ours, peers))
    return result | {
        "best": best and best.name,
        "reference": reference and reference.name,
        "ratio": best and reference and ratio(best, reference, "forwarded_pps"),
    }


def _entry(
    name: str,
    program: str,
    turn: Callable[[], dict[str, Any]],
    settings: Mapping[str, Any],
    missing: str | None = None,
) -> Entry:
    return Entry(name, turn, {"program": program, "version": None, "settings": settings}, missing)


def _our_entry(wait: str, crossing: Crossing, seconds: float) -> Entry:
    worker = OurWorker(wait, action="forward")

    def turn() -> dict[str, Any]:
        near, beyond = crossing.ports
        settings = grouped(worker.settings)
        with (
            told_later(),
            Engine(near, forward_to=beyond, cpu=crossing.cores, **settings) as engine,
        ):
            crossing.warm_up(REST_SECONDS)
            before = _arrived(crossing)
            measured = measure_whole(engine, crossing.traffic, seconds)
            arrived = _arrived(crossing) - before
        told = {"received": measured.rx_packets, "version": worker.version, **figures(measured)}
        return _run(measured.seconds, measured.sent or 0, arrived, told)

    return _entry(wait, worker.program, turn, worker.settings)


def _testpmd_entry(driver: str, crossing: Crossing, seconds: float) -> Entry:
    def turn() -> dict[str, Any]:
        cores = {"worker": crossing.worker, "other": crossing.traffic.cpu}
        with testpmd.Testpmd(*crossing.ports, driver=driver, **cores) as program:
            crossing.warm_up(REST_SECONDS)
            before, arrived_before = program.received(), _arrived(crossing)
            with spending(program.pid, set(cores.values())) as spent:
                sent, elapsed = crossing.send(seconds)
                received = program.received() - before
            arrived = _arrived(crossing) - arrived_before
            program.quit()
        told = {"received": received, "version": program.version, **spent.per_packet(arrived)}
        return _run(elapsed, sent, arrived, told)

    settings = {"driver": driver, "forward_mode": "io"}
    name = f"testpmd {driver.removeprefix('net_')}"
    return _entry(name, testpmd.PROGRAM, turn, settings, testpmd.missing())


def _bridge_entry(crossing: Crossing, seconds: float) -> Entry:
    def turn() -> dict[str, Any]:
        with _bridged(crossing.ports):
            crossing.warm_up(REST_SECONDS)
            before = _arrived(crossing)
            with spending(None, {crossing.worker, crossing.traffic.cpu}) as spent:
                sent, elapsed = crossing.send(seconds)
                arrived = _arrived(crossing) - before
        told = {**spent.per_packet(arrived), "cpu_ns_per_packet": None, "version": None}
        return _run(elapsed, sent, arrived, told)

    return _entry(_BRIDGE, _BRIDGE, turn, {})


def _arrived(crossing: Crossing) -> int:
    """Read the number of frames that arrived, once the forwarder's rings have drained."""
    return settled("the far host", crossing.arrived, _SETTLE_SECONDS)


def _run(seconds: float, sent: int, forwarded: int, told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "sent": sent,
        "received": None,
        "forwarded": forwarded,
        "forwarded_pps": round(forwarded / seconds, 1),
        "sent_pps": round(sent / seconds, 1),
        "lost_percent": round(100 * max(sent - forwarded, 0) / sent, 3) if sent else None,
        **dict.fromkeys(["balanced", *COSTS, *OWN, "ineffective"]),
        **told,
    }


@contextmanager
def _bridged(ports: Sequence[Host]) -> Iterator[None]:
    """Join ports of one namespace with a kernel bridge."""
    place = ports[0]
    try:
        place.run(_make_bridge, [port.interface.index for port in ports])
        yield
    finally:
        place.run(_remove_bridge)


def _make_bridge(ports: Sequence[int]) -> None:
    with netlink("make a bridge") as route:
        # With snooping the bridge would send reports by itself.
        route.link("add", ifname="bridge0", kind="bridge", br_mcast_snooping=0)
        (bridge,) = route.link_lookup(ifname="bridge0")
        for port in ports:
            route.link("set", index=port, master=bridge)
    switch_on("bridge0")


def _remove_bridge() -> None:
    with netlink("remove a bridge") as route:
        for bridge in route.link_lookup(ifname="bridge0"):
            route.link("del", index=bridge)


def _notes(result: Mapping[str, Any]) -> list[str]:
    lines = [f"{COSTS_NOTE}, cpu is all threads of the forwarder", versions(result)]
    if result["ratio"] is not None:
        lines.append(f"{result['best']} is at {result['ratio']:.2f} of {result['reference']}")
    return lines


BENCHMARK = Benchmark(
    run=forward,
    help="what is carried from one wire to another, beside dpdk-testpmd and the kernel's bridge",
    options={
        "rounds": Option(5, "runs of each"),
        "seconds": Option(2.0, "of each run"),
        "waits": Option(_WAITS, "wait strategies"),
    },
    title="million packets a second",
    columns=(
        median("arrived", "forwarded_pps", 1e6, 3),
        least_to_most("forwarded_pps", 1e6, 3),
        median("lost\n%", "lost_percent"),
        *costs("cpu", "user", "idle", "sys", "softirq"),
    ),
    notes=_notes,
)
