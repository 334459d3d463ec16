"""The benchmark `python`: packets in Python, beside the engine's own drop.

A program in Python receives batches of 256 in each of its ways, and sums one field of each. Beside
it: xdplab's worker, which drops, and a raw socket in Python, read packet by packet. And handlers in
C and by numba, each beside the action whose work it does; and what `xdplab capture` and tcpdump
write to a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.handled_worker import HANDLERS, HandledWorker
from xdplab.bench.one_wire import OneWire
from xdplab.bench.options import lengths, wait
from xdplab.bench.peers.python_socket import SocketReceiver
from xdplab.bench.peers.tcpdump import TcpdumpReceiver
from xdplab.bench.python_program import WAYS, PythonProgram
from xdplab.bench.receiver import COSTS, OWN, RATES, OurWorker
from xdplab.bench.recording_program import RecordingProgram
from xdplab.bench.report.report import COSTS_NOTE, Column, costs, least_to_most, median, versions
from xdplab.bench.rounds import Entry, paired_ratio

_BATCH = 256
_ENGINE = "engine"
_ACTIONS = {"drop": _ENGINE, "reflect": "reflect"}
"""What handlers are compared with: the entry of each action."""


def _compare(entries: Sequence[Entry]) -> dict[str, Any]:
    """Compare each with the engine, and the ways with the plain loop and with the socket."""
    by_name = {entry.name: entry for entry in entries}
    engine, plain, socket = (
        by_name[name] for name in (_ENGINE, next(iter(WAYS)), SocketReceiver.program)
    )
    for entry in entries:
        entry.labels["ratio"] = paired_ratio(entry, engine, "rx_pps")
    return {
        "plain_to_engine": paired_ratio(plain, engine, "rx_pps"),
        "plain_to_socket": paired_ratio(plain, socket, "rx_pps"),
        "asyncio_to_plain": paired_ratio(by_name["async for"], plain, "rx_pps"),
        "recorded_to_tcpdump": paired_ratio(
            by_name[RecordingProgram.NAME], by_name[TcpdumpReceiver.WRITES], "rx_pps"
        ),
        "handlers_to_actions": {
            f"{action} in {made_by}": paired_ratio(
                by_name[f"{action} in {made_by}"], by_name[name], "rx_pps"
            )
            for action, name in _ACTIONS.items()
            for made_by in HANDLERS
        },
    }


def _ratio(place: Mapping[str, Any]) -> str:
    return "" if place["ratio"] is None else f"{place['ratio']:.2f}"


BENCHMARK = Benchmark(
    name="python",
    help="packets in Python, in each way to receive, beside the engine and a raw socket",
    options={**lengths(8, 2.0), "wait": wait("spin")},
    measure=OneWire(
        receivers=lambda wait: [
            OurWorker(wait, _ENGINE, batch=_BATCH),
            *(HandledWorker(wait, made_by, "drop", _BATCH) for made_by in HANDLERS),
            *(PythonProgram(name, way, wait, _BATCH) for name, way in WAYS.items()),
            SocketReceiver(),
            OurWorker(wait, _ACTIONS["reflect"], action="reflect", batch=_BATCH),
            *(HandledWorker(wait, made_by, "reflect", _BATCH) for made_by in HANDLERS),
            RecordingProgram(wait),
            TcpdumpReceiver(writes=True),
        ],
        figures=(*RATES, *COSTS, *OWN),
        compare=_compare,
    ),
    title="million packets a second",
    columns=(
        median("received", "rx_pps", 1e6, 3),
        least_to_most("rx_pps", 1e6, 3),
        median("sent", "sent_pps", 1e6, 3),
        Column("to engine", _ratio),
        *costs(),
    ),
    notes=lambda result: [
        COSTS_NOTE,
        "the ratio to the engine is the median of the rounds' ratios",
        "handlers to the action that does the same: "
        + ", ".join(
            f"{name} {ratio:.3f}"
            for name, ratio in result["handlers_to_actions"].items()
            if ratio is not None
        ),
        f"capture --write to tcpdump -w: {_ratio({'ratio': result['recorded_to_tcpdump']})}",
        versions(result),
    ],
)
