"""The benchmark `forward`: the rate of each forwarder from one wire to another.

Two labs, and on the first one's far end an in-kernel generator of 64-byte frames as fast as it can,
on a core of its own. These take turns between the labs: xdplab's engine with each wait strategy,
with a worker for each way; if installed, `dpdk-testpmd` in its io mode on its AF_XDP and AF_PACKET
drivers, one thread for both ways; and the kernel's bridge, for comparison. Each run has a fresh
forwarder and a warm-up. The frames that arrived at the second lab's far end are counted by the
kernel there.

With two cores, the idle worker of the way back shares the core of the other worker: if it spins, it
takes half of that core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.options import lengths, waits
from xdplab.bench.peers import testpmd
from xdplab.bench.peers.cpu_time import spending
from xdplab.bench.peers.peer_receiver import settled
from xdplab.bench.receiver import COSTS, OWN, OurWorker, figures, lost_percent, told_later
from xdplab.bench.report.report import (
    COSTS_NOTE,
    against_reference,
    costs,
    least_to_most,
    median,
    versions,
)
from xdplab.bench.rounds import Entry, Rounds, against, fastest
from xdplab.bench.two_wires import TwoWires, open_two_wires, switch_on
from xdplab.bench.wire import REST_SECONDS
from xdplab.configuration.keywords import grouped
from xdplab.engine.engine import Engine
from xdplab.experiments.measure import measure_whole
from xdplab.net.host import Host
from xdplab.net.netlink import netlink

_FIGURES = ("forwarded_pps", "sent_pps", "lost_percent", *COSTS, *OWN)
_SETTLE_SECONDS = 10.0
_BRIDGE = "Linux bridge"


def _measure(turns: Rounds, waits: Sequence[str]) -> dict[str, Any]:
    with open_two_wires() as wires:
        ours = [_our_entry(wait, wires, turns.seconds) for wait in waits]
        peers = [
            _testpmd_entry(driver, wires, turns.seconds)
            for driver in (testpmd.AF_XDP, testpmd.AF_PACKET)
        ]
        entries = [*ours, *peers, _bridge_entry(wires, turns.seconds)]
        turns.take(entries)
        for entry in entries:
            entry.labels["version"] = next((run["version"] for run in entry.runs), None)
        best, reference = (fastest(them, "forwarded_pps") for them in (ours, peers))
        traffic = {"rate": "max", **wires.as_dict()}
        result = turns.result(wires.lab, entries, _FIGURES, traffic)
    return result | against(best, reference, "forwarded_pps")


def _entry(
    name: str,
    program: str,
    turn: Callable[[], dict[str, Any]],
    settings: Mapping[str, Any],
    missing: str | None = None,
) -> Entry:
    return Entry(name, turn, {"program": program, "version": None, "settings": settings}, missing)


def _our_entry(wait: str, wires: TwoWires, seconds: float) -> Entry:
    worker = OurWorker(wait, action="forward")

    def turn() -> dict[str, Any]:
        near, beyond = wires.ports
        settings = grouped(worker.settings)
        with (
            told_later(),
            Engine(near, forward_to=beyond, cpu=wires.cores, **settings) as engine,
        ):
            wires.warm_up(REST_SECONDS)
            before = _arrived(wires)
            measured = measure_whole(engine, wires.traffic, seconds)
            arrived = _arrived(wires) - before
        told = {"received": measured.rx_packets, "version": worker.version, **figures(measured)}
        return _run(measured.seconds, measured.sent or 0, arrived, told)

    return _entry(wait, worker.program, turn, worker.settings)


def _testpmd_entry(driver: str, wires: TwoWires, seconds: float) -> Entry:
    def turn() -> dict[str, Any]:
        cores = {"worker": wires.worker, "other": wires.traffic.cpu}
        with testpmd.Testpmd(*wires.ports, driver=driver, **cores) as program:
            wires.warm_up(REST_SECONDS)
            before, arrived_before = program.received(), _arrived(wires)
            with spending(program.pid, set(cores.values())) as spent:
                sent, elapsed = wires.send(seconds)
                received = program.received() - before
            arrived = _arrived(wires) - arrived_before
            program.quit()
        told = {"received": received, "version": program.version, **spent.per_packet(arrived)}
        return _run(elapsed, sent, arrived, told)

    settings = {"driver": driver, "forward_mode": "io"}
    name = f"testpmd {driver.removeprefix('net_')}"
    return _entry(name, testpmd.PROGRAM, turn, settings, testpmd.missing())


def _bridge_entry(wires: TwoWires, seconds: float) -> Entry:
    def turn() -> dict[str, Any]:
        with _bridged(wires.ports):
            wires.warm_up(REST_SECONDS)
            before = _arrived(wires)
            with spending(None, {wires.worker, wires.traffic.cpu}) as spent:
                sent, elapsed = wires.send(seconds)
                arrived = _arrived(wires) - before
        told = {**spent.per_packet(arrived), "cpu_ns_per_packet": None, "version": None}
        return _run(elapsed, sent, arrived, told)

    return _entry(_BRIDGE, _BRIDGE, turn, {})


def _arrived(wires: TwoWires) -> int:
    """Read the number of frames that arrived, once the forwarder's rings have drained."""
    return settled("the far host", wires.arrived, _SETTLE_SECONDS)


def _run(seconds: float, sent: int, forwarded: int, told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "sent": sent,
        "received": None,
        "forwarded": forwarded,
        "forwarded_pps": round(forwarded / seconds, 1),
        "sent_pps": round(sent / seconds, 1),
        "lost_percent": lost_percent(sent, forwarded),
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


BENCHMARK = Benchmark(
    name="forward",
    help="what is carried from one wire to another, beside dpdk-testpmd and the kernel's bridge",
    options={**lengths(5, 2.0), "waits": waits("wait strategies")},
    measure=_measure,
    title="million packets a second",
    columns=(
        median("arrived", "forwarded_pps", 1e6, 3),
        least_to_most("forwarded_pps", 1e6, 3),
        median("lost\n%", "lost_percent"),
        *costs("cpu", "user", "idle", "sys", "softirq"),
    ),
    notes=lambda result: [
        f"{COSTS_NOTE}, cpu is all threads of the forwarder",
        versions(result),
        *against_reference(result),
    ],
)
