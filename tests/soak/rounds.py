"""A round, run."""

from __future__ import annotations

import os
import time
import warnings
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from soak.recipe import Recipe, Step
from xdplab import Engine, Lab, Stream, Traffic
from xdplab.configuration.keywords import grouped
from xdplab.core.errors import XdplabError
from xdplab.ledger.account import Account
from xdplab.ledger.ledger import Ledger
from xdplab.ledger.lines import Line

_SETTLE_SECONDS = 10.0
_LAST_PAUSE = 0.05


class UnbalancedError(Exception):
    """A round did not end as each is to end."""


@dataclass
class Outcome:
    """What became of a round that ended well."""

    recipe: Recipe
    packets: int = 0
    """That its ledgers followed to their end."""
    done: Counter[str] = field(default_factory=Counter)
    """Steps by name; what was refused, as it may be, with a word before it."""
    refusals: Counter[str] = field(default_factory=Counter)
    """What was said then."""


def run(recipe: Recipe) -> Outcome:
    """Run a round.

    Raises
    ------
    UnbalancedError
        When a ledger does not add up, or the engine ended by itself.
    """
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strategies that can do nothing on a veth
        return _Round(recipe, stack).run()


class _Round:
    def __init__(self, recipe: Recipe, stack: ExitStack) -> None:
        self._recipe = recipe
        self._outcome = Outcome(recipe)
        self.lab = stack.enter_context(Lab(backend=recipe.backend, **recipe.lab))
        settings = dict(recipe.engine)
        if recipe.kind == "joined":
            self.other = stack.enter_context(Lab(number=1, backend=recipe.backend, **recipe.lab))
            settings["forward_to"] = self.other.port
        if recipe.kind == "stream":
            settings["stream"] = Stream(self.lab.peer, **recipe.traffic)
        self.engine = stack.enter_context(closing(Engine(self.lab.port, **grouped(settings))))
        self.back: Engine | None = None
        if recipe.answered:
            self.back = stack.enter_context(closing(Engine(self.lab.peer, ring_size=8192)))
        self.traffic: Traffic | None = None
        if recipe.kind != "stream":
            cores = sorted(os.sched_getaffinity(0))
            cpu = cores[recipe.traffic["cpu"] % len(cores)]
            sending = Traffic(self.lab.peer, self.lab.port, **recipe.traffic | {"cpu": cpu})
            self.traffic = stack.enter_context(closing(sending))

    def run(self) -> Outcome:
        ledgers = [self.engine.ledger(self.traffic)]
        if self.back is not None:
            ledgers.append(self.back.start().ledger())
        self.engine.start()
        if self.traffic is not None:
            self.traffic.start()
        for step in self._recipe.steps:
            time.sleep(step.pause)
            self._do(step, ledgers[0])
        time.sleep(_LAST_PAUSE)
        self._end()
        for ledger in ledgers:
            account = ledger.settle(_SETTLE_SECONDS)
            self._check(account)
            self._outcome.packets += _followed(account)
        return self._outcome

    def _do(self, step: Step, ledger: Ledger) -> None:
        name = step.name
        try:
            if name == "read":
                self._look(ledger)
            else:
                getattr(self, f"_{name}")(**step.arguments)
        except XdplabError as refusal:
            # As it may be: but it must leave the engine as it was.
            name = f"refused {name}"
            self._outcome.refusals[str(refusal)] += 1
            if self.engine.error is not None or not self.engine.running:
                raise UnbalancedError(f"after {step} the engine is no more: {refusal}") from None
        self._outcome.done[name] += 1

    def _look(self, ledger: Ledger) -> None:
        account = ledger.read()
        account.explain()
        if any(stage.packets < 0 for stage in account.stages):
            raise UnbalancedError(f"while packets flow, a line is below 0:\n{account}")

    def _turn(self, knob: str, value: Any) -> None:
        setattr(self.engine, knob, value)

    def _reconfigure(self, **changes: Any) -> None:
        self.engine.reconfigure(**changes)

    def _stop(self, seconds: float) -> None:
        self.engine.stop()
        time.sleep(seconds)
        self.engine.start()

    def _pause_sender(self, seconds: float) -> None:
        if self.traffic is None:
            return
        self.traffic.stop()
        time.sleep(seconds)
        self.traffic.start()

    def _ping(self, version: str) -> None:
        # Nobody need answer: then it is to be over soon.
        self.lab.peer.ping(getattr(self.lab.port, version), count=2, timeout=0.05)

    def _faults(self, end: str, name: str, value: float) -> None:
        setattr(getattr(self.lab, end).faults, name, value)

    def _end(self) -> None:
        if self.traffic is not None:
            self.traffic.stop()
        if self._recipe.kind != "path":
            self.engine.pace = 0
        if self._recipe.kind == "stream":
            self.engine.action = "drop"

    def _check(self, account: Account) -> None:
        wrong = [str(stage.stage) for stage in account.stages if stage.packets < 0]
        for engine in filter(None, (self.engine, self.back)):
            if engine.error is not None:
                raise UnbalancedError(f"a worker ended: {engine.error}")
        if not account.balanced or wrong:
            raise UnbalancedError(f"{account}\n{account.explain()}")


def _followed(account: Account) -> int:
    """Count the packets that a ledger began with: that were sent or came, and that were made."""
    counts = {stage.stage: stage.packets for stage in account.stages}
    seen = counts.get(Line.DEVICE) or counts.get(Line.REDIRECTED, 0) + counts.get(Line.STACK, 0)
    came = max(counts.get(Line.SENT, 0), seen)
    made = max(counts.get(Line.HANDED, 0) - counts.get(Line.RECEIVED, 0), 0)
    return came + made
