"""Checks of engines and generators that are given as arguments."""

from __future__ import annotations

from xdplab.core.checks import instance_of
from xdplab.engine.traffic import Traffic
from xdplab.engine.waiting import Waiting


def check_engine(engine: object, argument: str = "engine") -> None:
    """Raise `ConfigurationError` for what is no engine."""
    # Every engine is one, and the ledger, which engines make, can know of it.
    instance_of(argument, engine, Waiting, "an Engine: Engine(lab.port)")


def check_traffic(traffic: object, argument: str = "traffic") -> None:
    """Raise `ConfigurationError` for what is neither a generator nor None."""
    if traffic is not None:
        wanted = "a Traffic, Traffic(lab.peer, lab.port), or None"
        instance_of(argument, traffic, Traffic, wanted)
