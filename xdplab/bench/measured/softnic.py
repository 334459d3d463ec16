"""The benchmark `softnic`: the engine's own limit, without the kernel."""

from __future__ import annotations

from functools import partial
from typing import Any

from xdplab.bench.benchmark import Benchmark, Option
from xdplab.bench.measured.reflect import there_and_back
from xdplab.bench.receiver import OurWorker
from xdplab.bench.report.report import costs, least_to_most, median
from xdplab.bench.rounds import Entry, Rounds
from xdplab.bench.wire import Wire, open_wire
from xdplab.core.checks import choice
from xdplab.engine.engine import WAIT_STRATEGIES

_ACTIONS = ("drop", "reflect")
_COSTS = ("user_ns_per_packet", "idle_ns_per_packet", "sys_ns_per_packet")
_FIGURES = ("pps", "sent_pps", "lost_percent", *_COSTS)


def softnic(
    rounds: int = 5, seconds: float = 2.0, wait: str = "spin", quiet: bool = False
) -> dict[str, Any]:
    """Let xdplab's worker drop, and send back, all it can on a soft NIC.

    One simulated lab, whose wire's thread does the kernel's side of the rings and makes 64-byte
    frames as fast as it can, and one worker, each on a core of its own if there are two, with
    the default telemetry: a record every 10 ms, and 1 frame in 1,000 a sample. So it shows the
    engine's rate if the kernel cost nothing; it says nothing about a network. The two actions take
    turns, every second round backwards; each run has a fresh engine and a warm-up.

    Parameters
    ----------
    rounds
        Runs of each action, 1 to 1000.
    seconds
        Length of a run, without the warm-up.
    wait
        The worker's wait strategy.
    quiet
        Whether to do without the progress bar, which is drawn on a terminal only.

    Returns
    -------
    dict
        For JSON:

        - ``benchmark`` ("softnic"), ``simulated`` (True), ``rounds``, ``seconds``, ``traffic`` and
          ``machine`` as those of `rxdrop`;
        - ``entries``, one an action: ``name``, ``settings``, ``status``, ``reason``,
          ``ineffective``, ``runs``, and over the runs ``{"median", "least", "most"}`` of ``pps``
          (packets a second that were received, or with "reflect" came back), ``sent_pps`` (what
          the wire offered), ``lost_percent``, and the worker's nanoseconds a received packet:
          ``user_ns_per_packet`` (its work), ``idle_ns_per_packet`` (empty polls) and
          ``sys_ns_per_packet``.

    Raises
    ------
    ConfigurationError
        For values out of range.
    """
    turns = Rounds("softnic", rounds, seconds, quiet)
    choice("wait", wait, WAIT_STRATEGIES)
    with open_wire("soft") as wire:
        entries = [
            Entry(worker.name, partial(_run, worker, wire, seconds), {"settings": worker.settings})
            for worker in (OurWorker(wait, action, action=action) for action in _ACTIONS)
        ]
        turns.take(entries)
        return turns.result(wire.lab, entries, _FIGURES, {"rate": "max", **wire.as_dict()})


def _run(worker: OurWorker, wire: Wire, seconds: float) -> dict[str, Any]:
    measured, returned = there_and_back(worker, wire, seconds)
    through = returned if worker.name == "reflect" else measured.rx_packets
    sent = measured.sent or 0
    return {
        "seconds": measured.seconds,
        "sent": sent,
        "rx_packets": measured.rx_packets,
        "pps": round(through / measured.seconds, 1),
        "sent_pps": round(sent / measured.seconds, 1),
        "lost_percent": round(100 * max(sent - through, 0) / sent, 3) if sent else None,
        "balanced": measured.balanced,
        "ineffective": measured.wait_note or None,
        **{name: getattr(measured, name) for name in _COSTS},
    }


BENCHMARK = Benchmark(
    run=softnic,
    help="the engine's own limit, on a simulated NIC",
    options={
        "rounds": Option(5, "runs of each"),
        "seconds": Option(2.0, "of each run"),
        "wait": Option("spin", "wait strategy"),
    },
    title="million packets a second",
    columns=(
        median("through", "pps", 1e6, 1),
        least_to_most("pps", 1e6, 1),
        median("offered", "sent_pps", 1e6, 1),
        *costs("user", "idle", "sys"),
    ),
    notes=lambda _result: [
        "ns are the worker's for a received packet: user is its work, idle is empty polls",
        "a thread plays the kernel's side of the rings: the engine's own limit, not a network's",
    ],
)
