"""The decisive checks: which backends can make labs here, and a whole capture in a lab."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping

from xdplab.backends import BACKENDS, VARIABLE, Backend
from xdplab.doctor.finding import CAPTURE, Finding
from xdplab.doctor.privilege import real_backend
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab

_FRAMES = 100
_PATIENCE_SECONDS = 10.0  # for a machine with other work; no longer than the frames take


def backends(known: Mapping[str, Backend] = BACKENDS) -> Iterator[Finding]:
    """Check whether each backend can be used here.

    Parameters
    ----------
    known
        The backends by name, the best first.
    """
    refusals = {name: backend.refusal() for name, backend in known.items()}
    works = [name for name, refusal in refusals.items() if not refusal]
    if not works:
        said = " ".join(f"For {name}: {refusal}" for name, refusal in refusals.items())
        yield Finding("backends", "missing", "none works here", said)
        return
    best = works[0]
    simulates = ", which only simulates" if known[best].simulated else ""
    seen = f"labs use {best}{simulates}; these work: {', '.join(works)}"
    if named := os.environ.get(VARIABLE):
        seen += f"; {VARIABLE} says {named}"
    if not known[best].simulated:
        yield Finding("backends", "good", seen)
        return
    better = list(known)[: list(known).index(best)]
    remedy = " ".join(f"For {name}: {refusals[name]}" for name in reversed(better))
    yield Finding("backends", "limited" if better else "good", seen, remedy)


def capture() -> Iterator[Finding]:
    """Capture generated frames, from the generator to the worker's counters."""
    with Lab(backend=real_backend().name) as lab, Engine(lab.port) as engine:
        with Traffic(lab.peer, lab.port, count=_FRAMES) as traffic:
            traffic.wait(_PATIENCE_SECONDS)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            # The worker publishes every 10 ms.
            while (received := _received(engine)) < _FRAMES and time.monotonic() < deadline:
                time.sleep(0.01)
            sent = traffic.sent
        seen = f"{received} of {_FRAMES} generated frames came through AF_XDP in a lab"
        if received == _FRAMES:
            yield Finding(CAPTURE, "good", seen)
        else:
            remedy = "`xdplab run --seconds 1` shows where the others went."
            yield Finding(CAPTURE, "missing", f"{seen}; {sent} were sent", remedy)


def _received(engine: Engine) -> int:
    if fault := engine.error:
        raise fault
    return int(engine.telemetry.counters()["rx_packets"])
