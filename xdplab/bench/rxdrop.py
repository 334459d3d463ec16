"""The benchmark `rxdrop`: how many packets a second can be received and dropped."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from xdplab.bench import machine
from xdplab.bench.receiver import OurWorker, Receiver, Run, Wire
from xdplab.bench.testpmd import TestpmdReceiver
from xdplab.checks import whole
from xdplab.cores import cores_for_queue
from xdplab.engine import WAIT_STRATEGIES
from xdplab.errors import ConfigurationError, XdplabError
from xdplab.lab import Lab
from xdplab.traffic import Traffic

_FRAME_BYTES = 64
_MOST_ROUNDS, _MOST_SECONDS = 1000, 86_400
_COSTS = (
    "user_ns_per_packet",
    "idle_ns_per_packet",
    "sys_ns_per_packet",
    "softirq_ns_per_packet",
)


@dataclass
class _Entry:
    """A receiver and what it did so far."""

    receiver: Receiver
    status: str = "measured"
    reason: str | None = None
    runs: list[Run] = field(default_factory=list)


def rxdrop(rounds: int = 5, seconds: float = 3.0, quiet: bool = False) -> dict[str, Any]:
    """Let the same generator send to one receiver after the other, as fast as it can.

    One lab, one in-kernel generator of 64-byte frames on a core of its own, and on another core in
    turn our worker with each wait strategy and, where it is installed, DPDK's `dpdk-testpmd` in
    rxonly on its AF_XDP driver: as it comes, with busy polling, and without, which suits veth
    better. Each round takes all of them, every second one in reverse order; each run has a fresh
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

        - ``benchmark`` ("rxdrop"), ``simulated`` (False), ``rounds``, ``seconds``;
        - ``traffic``: ``rate``, ``size`` (bytes), ``generator_core``, ``worker_core``;
        - ``machine``: ``kernel``, ``cpu``, ``cores``, ``governor``, ``driver``, ``python``;
        - ``entries``, one a receiver: its ``name``, ``program``, ``version`` and ``settings``;
          ``status`` ("measured", "missing" or "failed") with the ``reason``; ``runs``, each with
          ``seconds``, ``sent``, ``rx_packets``, ``rx_pps``, ``sent_pps``, ``balanced`` (whether
          its ledger added up) and, for our worker, ``user_ns_per_packet``, ``idle_ns_per_packet``
          (a spinning worker's empty polls), ``sys_ns_per_packet`` and ``softirq_ns_per_packet``;
          over the runs ``{"median", "least", "most"}`` of ``rx_pps``, ``sent_pps`` and each of
          those times; and ``ratio``, its median rate by the reference's;
        - ``best``: the name of our fastest entry; ``reference``: that of the peers' fastest;
          ``ratio``: the one's median rate by the other's. None where there is none.

    Raises
    ------
    ConfigurationError
        For values out of range.
    KernelError
        When there can be no lab or no generator here. What goes wrong with one receiver is in the
        result.
    """
    rounds = whole("rounds", rounds, 1, _MOST_ROUNDS)
    if not 0 < seconds <= _MOST_SECONDS:
        raise ConfigurationError(f"seconds={seconds!r} must be above 0, {_MOST_SECONDS:,} at most.")
    entries = [_Entry(receiver) for receiver in _receivers()]
    for entry in entries:
        if reason := entry.receiver.missing():
            entry.status, entry.reason = "missing", reason
    generator, worker = cores_for_queue(0, 1)
    with Lab() as lab:
        traffic = Traffic(lab.peer, lab.port, rate="max", size=_FRAME_BYTES, cpu=generator)
        try:
            _run_all(entries, Wire(lab, traffic, worker), rounds, seconds, quiet)
        finally:
            traffic.close()
        place = machine.describe(lab.port.interface)
    return {
        "benchmark": "rxdrop",
        "simulated": lab.simulated,
        "rounds": rounds,
        "seconds": seconds,
        "traffic": {
            "rate": "max",
            "size": _FRAME_BYTES,
            "generator_core": generator,
            "worker_core": worker,
        },
        "machine": place,
        **_compare(entries),
    }


def _receivers() -> list[Receiver]:
    ours = [OurWorker(wait) for wait in WAIT_STRATEGIES]
    return [*ours, TestpmdReceiver(), TestpmdReceiver(busy_budget=0)]


def _run_all(
    entries: Sequence[_Entry], wire: Wire, rounds: int, seconds: float, quiet: bool
) -> None:
    present = [entry for entry in entries if entry.status != "missing"]
    with _progress(quiet, rounds * len(present)) as advance:
        for number in range(rounds):
            # There and back again, so that a machine that slows down slows all of them alike.
            for entry in present if number % 2 == 0 else reversed(present):
                advance(entry.receiver.name)
                if entry.status == "measured":
                    try:
                        entry.runs.append(entry.receiver.run(wire, seconds))
                    except XdplabError as error:
                        entry.status, entry.reason = "failed", str(error)


@contextmanager
def _progress(quiet: bool, total: int) -> Iterator[Callable[[str], None]]:
    """Draw a progress bar; what is given back names what is begun."""
    if quiet or not sys.stderr.isatty():
        yield lambda _name: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import Progress  # noqa: PLC0415

    # Drawn between runs only: during one it would take time from the cores that are measured.
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as progress:
        task = progress.add_task("rxdrop", total=total)
        begun = 0

        def advance(name: str) -> None:
            nonlocal begun
            progress.update(task, description=f"rxdrop: {name}", completed=begun, refresh=True)
            begun += 1

        yield advance


def _compare(entries: Sequence[_Entry]) -> dict[str, Any]:
    rates = {
        entry.receiver.name: statistics.median(run.rx_pps for run in entry.runs)
        for entry in entries
        if entry.status == "measured"
    }
    ours = {e.receiver.name for e in entries if e.receiver.program == OurWorker.program}
    best = max(rates.keys() & ours, key=rates.__getitem__, default=None)
    reference = max(rates.keys() - ours, key=rates.__getitem__, default=None)

    def ratio(name: str | None) -> float | None:
        if reference is None or name not in rates or not rates[reference]:
            return None
        return round(rates[name] / rates[reference], 3)

    return {
        "entries": [_as_dict(e) | {"ratio": ratio(e.receiver.name)} for e in entries],
        "best": best,
        "reference": reference,
        "ratio": ratio(best),
    }


def _as_dict(entry: _Entry) -> dict[str, Any]:
    runs = [asdict(run) | {"rx_pps": run.rx_pps, "sent_pps": run.sent_pps} for run in entry.runs]
    return {
        "name": entry.receiver.name,
        "program": entry.receiver.program,
        "version": entry.receiver.version,
        "settings": entry.receiver.settings,
        "status": entry.status,
        "reason": entry.reason,
        **{name: _spread(runs, name) for name in ("rx_pps", "sent_pps", *_COSTS)},
        "runs": runs,
    }


def _spread(runs: Sequence[dict[str, Any]], name: str) -> dict[str, float] | None:
    values = [run[name] for run in runs if run[name] is not None]
    if not values:
        return None
    return {
        "median": round(statistics.median(values), 2),
        "least": min(values),
        "most": max(values),
    }
