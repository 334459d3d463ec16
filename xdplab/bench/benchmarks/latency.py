"""The benchmark `latency`: the time of a round trip and the server's CPU time, by its way to wait.

One lab. The client sends 64-byte frames through AF_XDP and spins for the answers, on a core of its
own. The servers take turns on another core: xdplab's worker with the action "echo" and each wait
strategy; and, through the normal stack of their host, two ordinary UDP sockets, one that blocks in
``recvfrom`` and one that waits in ``epoll_wait``, written in C like the worker.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.options import Option, lengths, several
from xdplab.bench.peers.client import Client, Trips
from xdplab.bench.peers.cpu_time import by_thread
from xdplab.bench.peers.udp_echo import MODES, UdpEcho
from xdplab.bench.receiver import told_later
from xdplab.bench.report.report import Column, least_to_most, median
from xdplab.bench.rounds import Entry, Rounds, paired_ratio
from xdplab.bench.wire import FRAME_BYTES
from xdplab.core.checks import real
from xdplab.core.cores import cores_for_queue
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import WAIT_STRATEGIES, Engine
from xdplab.lab.lab import Lab
from xdplab.net.stream import STREAM_PORT, checked_rate

_WARM_UP_SECONDS = 0.3
_FEW_TRIPS = 10
# After a longer pause, a stream does not send the frames that were due in it: TRAFFIC_PATIENCE_MS
# of native/include/traffic.h.
_LONGEST_APART = 50.0  # ms

_TITLE = "round trip in microseconds"

_LEARNING = "adaptive"  # is to be beaten by no other in both round trip and CPU time
_SOCKET = "udp-blocking"  # as most servers are written

_PERCENTILES = {"p50_ns": 50, "p99_ns": 99, "p99_9_ns": 99.9}


@dataclass(frozen=True)
class _Server:
    """A server that answers the client, opened for one run."""

    name: str
    path: str
    open: Callable[[Lab, int], Engine | UdpEcho]


@dataclass(frozen=True)
class _Place:
    """The lab and core of a server, and its client."""

    lab: Lab
    cpu: int
    client: Client
    apart: float


def _measure(turns: Rounds, rates: Sequence[float], apart: float) -> dict[str, Any]:
    client_core, server_core = cores_for_queue(0, 1)
    with (
        Lab() as lab,
        Client(lab.peer, lab.port, size=FRAME_BYTES, cpu=client_core) as client,
    ):
        place = _Place(lab, server_core, client, apart / 1e3)
        entries = [
            _entry(server, place, rate, turns.seconds) for rate in rates for server in _servers()
        ]
        turns.take(entries)
        traffic = {
            "rates": list(rates),
            "apart": apart,
            "size": FRAME_BYTES,
            "client_core": client_core,
            "server_core": server_core,
        }
        for entry in entries:
            sums = {name: sum(run[name] for run in entry.runs) for name in ("sent", "returned")}
            entry.labels |= sums | _ratios(entry, entries)
        figures = (*_PERCENTILES, "cpu_percent", "sent_pps", "lost")
        return turns.result(lab, entries, figures, traffic)


def _ratios(entry: Entry, entries: Sequence[Entry]) -> dict[str, float | None]:
    """Compare an entry with two others at the same rate, round by round."""
    others = {each.name: each for each in entries if each.labels["rate"] == entry.labels["rate"]}

    def ratio(other: str, figure: str) -> float | None:
        if other not in others:
            return None
        runs = [*entry.runs, *others[other].runs]
        if any(run[figure] is None for run in runs):  # nothing came back
            return None
        return paired_ratio(entry, others[other], figure)

    return {
        "p50_to_socket": ratio(_SOCKET, "p50_ns"),
        "p50_to_adaptive": ratio(_LEARNING, "p50_ns"),
        "cpu_to_adaptive": ratio(_LEARNING, "cpu_percent"),
    }


def _servers() -> Iterator[_Server]:
    for wait in WAIT_STRATEGIES:
        yield _Server(wait, "AF_XDP", _Echo(wait))
    for mode in MODES:
        yield _Server(f"udp-{mode}", "socket", _Socket(mode))


@dataclass(frozen=True)
class _Echo:
    wait: str

    def __call__(self, lab: Lab, cpu: int) -> Engine:
        with told_later():
            return Engine(lab.port, action="echo", wait=self.wait, cpu=cpu).start()


@dataclass(frozen=True)
class _Socket:
    mode: str

    def __call__(self, lab: Lab, cpu: int) -> UdpEcho:
        return UdpEcho(lab.port, self.mode, port=STREAM_PORT, cpu=cpu)


def _entry(server: _Server, place: _Place, rate: float, seconds: float) -> Entry:
    def turn() -> dict[str, Any]:
        others = set(by_thread(os.getpid()))

        def cpu_ns() -> int:
            times = by_thread(os.getpid())
            return sum(ns for thread, ns in times.items() if thread not in others)

        with server.open(place.lab, place.cpu) as opened:
            place.client.send(rate, _WARM_UP_SECONDS, apart=place.apart)
            trips = place.client.send(rate, seconds, apart=place.apart, cpu_clock=cpu_ns)
            if fault := opened.error:
                raise fault
            note = opened.wait_note if isinstance(opened, Engine) else ""
            return _as_dict(trips) | {"ineffective": note or None}

    return Entry(server.name, turn, {"path": server.path, "rate": rate})


def _as_dict(trips: Trips) -> dict[str, Any]:
    percentiles = {name: trips.times.percentile(percent) for name, percent in _PERCENTILES.items()}
    return {
        "seconds": trips.seconds,
        "sent": trips.sent,
        "returned": trips.times.total,
        "lost": trips.lost,
        "sent_pps": round(trips.sent / trips.seconds, 1),
        "cpu_percent": round(trips.cpu_ns / trips.seconds / 1e7, 2),
        **{name: None if math.isnan(ns) else ns for name, ns in percentiles.items()},
    }


def _frames_a_second(name: str, value: object) -> float:
    rate = checked_rate(value, name)
    if rate == "max":
        raise ConfigurationError(f"{name}=[..., 'max', ...] must be numbers of frames a second.")
    return rate


def _milliseconds(name: str, value: object) -> float:
    return real(name, value, 0, _LONGEST_APART, "milliseconds")


def _rate(place: Mapping[str, Any]) -> str:
    return f"at {place['rate']:,.0f} a second"


def _notes(result: Mapping[str, Any]) -> list[str]:
    traffic = result["traffic"]
    notes = [
        f"client spinning on core {traffic['client_core']}, servers on core "
        f"{traffic['server_core']}; lost is of all rounds; CPU is of the server's threads",
    ]
    if traffic["apart"]:
        notes.append(f"sent in bursts, {traffic['apart']:g} ms and a half apart")
    notes += [_front(rate, result["entries"]) for rate in traffic["rates"]]
    beyond = 1 - _PERCENTILES["p99_9_ns"] / 100
    if few := [r for r in traffic["rates"] if r * result["seconds"] * beyond < _FEW_TRIPS]:
        told = ", ".join(f"{rate:,.0f}" for rate in few)
        notes.append(f"p99.9 at {told} a second rests on few round trips: take more --seconds")
    return [note for note in notes if note]


def _front(rate: float, entries: Sequence[Mapping[str, Any]]) -> str:
    """Say which servers are better than adaptive in both round trip and CPU time at a rate."""
    there = {entry["name"]: entry for entry in entries if entry["rate"] == rate}
    if (own := there.get(_LEARNING)) is None or own["p50_to_adaptive"] is None:
        return ""
    better = [
        f"{name} ({entry['p50_to_adaptive']:.2f} and {entry['cpu_to_adaptive']:.2f} of it)"
        for name, entry in there.items()
        if (entry["p50_to_adaptive"] or 1) < 1 and (entry["cpu_to_adaptive"] or 1) < 1
    ]
    words = f"better than adaptive in both p50 and CPU: {', '.join(better) or 'none'}"
    if own["p50_to_socket"] is not None:
        words += f"; its p50 is {own['p50_to_socket']:.2f} of {_SOCKET}'s"
    return f"at {rate:,.0f} a second {words}"


BENCHMARK = Benchmark(
    name="latency",
    help="the round trip with each wait strategy, beside UDP sockets",
    options={
        **lengths(3, 2.0),
        "rates": several(
            (1_000.0, 10_000.0, 100_000.0),
            "packets a second, one after the other",
            "number of frames a second",
            _frames_a_second,
        ),
        "apart": Option(
            0.0,
            "milliseconds between bursts, each of the frames that are due by then; 0: evenly",
            _milliseconds,
        ),
    },
    measure=_measure,
    title=_TITLE,
    columns=(
        median("p50", "p50_ns", 1e3),
        least_to_most("p50_ns", 1e3),
        median("p99", "p99_ns", 1e3, drawn=f"{_TITLE}: p99"),
        median("p99.9", "p99_9_ns", 1e3, drawn=f"{_TITLE}: p99.9"),
        median("CPU\n%", "cpu_percent"),
        median("sent/s", "sent_pps", digits=0),
        Column("sent", lambda place: str(place["sent"])),
        Column("lost", lambda place: str(place["sent"] - place["returned"])),
    ),
    group=_rate,
    notes=_notes,
)
