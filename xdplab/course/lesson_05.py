"""Three broken setups of lesson 05, Where did my packets go, and the checks of their repairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace

from xdplab.core.calls import public_function
from xdplab.core.checks import choice
from xdplab.core.table import Table
from xdplab.course.checking import Checks, WrongAnswerError, an, called
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab
from xdplab.ledger.account import Account
from xdplab.ledger.lines import Line

_PACKETS, _RATE = 400, 1000
_PATIENCE = 10
_ON_THE_WAY = (Line.SENT, Line.DEVICE, Line.REDIRECTED, Line.RECEIVED)


def _filtered(lab: Lab) -> tuple[Engine, Traffic]:
    return Engine(lab.port, match="udp dst port 53").start(), _traffic(lab)


def _elsewhere(lab: Lab) -> tuple[Engine, Traffic]:
    # On veth and on the soft NIC a generator's frames arrive on queue (its core modulo queues).
    return Engine(lab.port, queue=1).start(), _traffic(lab, cpu=0)


def _slow(lab: Lab) -> tuple[Engine, Traffic]:
    engine = Engine(lab.port, ring_size=64, batch=1).start()
    engine.pace = 0.05
    return engine, _traffic(lab)


def _traffic(lab: Lab, cpu: int | None = None) -> Traffic:
    return Traffic(lab.peer, lab.port, rate=_RATE, count=_PACKETS, cpu=cpu)


_PATIENTS: Mapping[str, Callable[[Lab], tuple[Engine, Traffic]]] = {
    "05.1": _filtered,
    "05.2": _elsewhere,
    "05.3": _slow,
}


class Symptoms(Account):
    """An account that shows its counts. In words, which name the remedy, it is `explain()`."""

    def _page(self) -> Table:
        return replace(super()._page(), lines=())


@contextmanager
def _made(name: str) -> Iterator[tuple[Engine, Traffic]]:
    with Lab(queues=2) as lab:
        engine, traffic = _PATIENTS[name](lab)
        try:
            yield engine, traffic
        finally:
            traffic.close()
            engine.close()


@public_function
def patient(exercise: str) -> Account:
    """Send packets through the broken setup of an exercise, and return the account of them.

    A notebook shows its counts alone; its `explain()` names the remedy.

    Parameters
    ----------
    exercise
        "05.1", "05.2" or "05.3".
    """
    exercise = choice("exercise", exercise, _PATIENTS)
    with _made(exercise) as (engine, traffic):
        account = _sent(engine, traffic, 1)
    return Symptoms(account.stages, account.unaccounted, account.situation)


def _sent(engine: Engine, traffic: Traffic, patience: float) -> Account:
    ledger = engine.ledger(traffic)
    traffic.start().wait()
    return ledger.settle(patience)


def _repairs(name: str) -> Callable[[object], None]:
    def check(repair: object) -> None:
        """Check a function that repairs a setup, so that all packets are received."""
        with _made(name) as (engine, traffic):
            repaired = an(Engine, called(repair, engine, traffic), "the engine")
            with closing(repaired):
                if not repaired.running:
                    raise WrongAnswerError("the engine that it returns does not run.")
                if traffic.closed or traffic.rate != _RATE:
                    raise WrongAnswerError("the traffic is to stay as it is: repair the engine.")
                account = _sent(repaired, traffic, _PATIENCE)
        received = account.packets("received by the worker")
        if received < _PACKETS:
            elsewhere = ", ".join(
                f"{line.name!r} {line.packets:,}"
                for line in account
                if line.packets and line.stage not in _ON_THE_WAY
            )
            raise WrongAnswerError(
                f"of {_PACKETS} packets the worker received {received}. The ledger has {elsewhere}."
            )

    return check


CHECKS: Checks = {name.split(".")[1]: _repairs(name) for name in _PATIENTS}
