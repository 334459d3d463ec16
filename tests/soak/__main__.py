"""``make soak``: run rounds for so many minutes, or one of them again.

``scripts/soak --frames 10_000_000`` sends so many numbered frames through each way to receive in
Python instead. ``scripts/soak --asyncio 10`` measures for 10 s how late a timer is beside captures,
``scripts/soak --memory 60`` for 60 minutes what memory a capture's program takes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from random import SystemRandom

from soak import memory
from soak.patterns import PATTERNS, run_all
from soak.recipe import draw
from soak.report import steps, table, write_page
from soak.responsive import run as share_a_loop
from soak.rounds import Outcome, run
from xdplab.backends import BACKENDS

_LOOKS = 60
_MOST_GROWTH_KIB = 4096


def main() -> int:
    """Run it; 1 if a round failed."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1 << 32))
    parser.add_argument("--round", type=int, help="this one alone")
    parser.add_argument("--page", type=Path, help="where the figures are written, once all is well")
    parser.add_argument("--frames", type=int, help="numbered, through each way to receive instead")
    parser.add_argument("--pattern", choices=PATTERNS, help="this way alone")
    parser.add_argument("--asyncio", type=float, help="a program with captures for so many seconds")
    parser.add_argument("--rate", type=float, default=250_000, help="of each of its two captures")
    parser.add_argument("--memory", type=float, help="a program with a capture for so many minutes")
    chosen = parser.parse_args()
    if chosen.memory is not None:
        looks = memory.run(60 * chosen.memory, _LOOKS)
        print(looks)
        return int(looks.growth > _MOST_GROWTH_KIB)
    if chosen.asyncio is not None:
        print(share_a_loop(captures=2, rate=chosen.rate, seconds=chosen.asyncio, least=1))
        return 0
    if chosen.frames is not None:
        return through_patterns(chosen.seed, chosen.frames, chosen.pattern)
    backends = [name for name, backend in BACKENDS.items() if not backend.refusal()]
    print(f"seed {chosen.seed}; backends: {', '.join(backends)}", flush=True)
    begun = time.monotonic()
    if chosen.round is not None:
        print(draw(chosen.seed, chosen.round, backends))
        outcome = attempt(chosen.seed, chosen.round, backends)
        return report([outcome] if outcome else [], 1)
    outcomes: list[Outcome] = []
    number = failed = 0
    while time.monotonic() < begun + 60 * chosen.minutes:
        outcome = attempt(chosen.seed, number, backends)
        outcomes += [outcome] if outcome else []
        failed += outcome is None
        number += 1
    if not failed and chosen.page:
        write_page(chosen.page, outcomes, chosen.seed, time.monotonic() - begun)
    return report(outcomes, number)


def through_patterns(seed: int, frames: int, only: str | None) -> int:
    """Send numbered frames through the ways to receive; 1 if a way failed."""
    failed = 0
    for name in [only] if only else PATTERNS:
        begun = time.monotonic()
        try:
            outcomes = run_all(name, seed, frames)
        except Exception as error:
            failed = 1
            print(f"{name} failed: {type(error).__name__}: {error}")
            print(
                f"again: scripts/soak --seed {seed} --frames {frames} --pattern {name}", flush=True
            )
            continue
        sent, found, answered = (
            sum(getattr(each, what) for each in outcomes) for what in ("sent", "found", "answered")
        )
        print(
            f"{name}: {sent:,} sent, {found:,} right and in order, {sent - found:,} lost or ends, "
            f"as the ledgers say; {answered:,} came back; {time.monotonic() - begun:.0f} s",
            flush=True,
        )
    return failed


def attempt(seed: int, number: int, backends: list[str]) -> Outcome | None:
    """Run a round; tell how it failed, and how it is run again."""
    recipe = draw(seed, number, backends)
    try:
        return run(recipe)
    except Exception as error:
        print(f"\nround {number} failed: {type(error).__name__}: {error}\n{recipe}")
        print(f"again: make soak SEED={seed} ROUND={number}", flush=True)
        return None


def report(outcomes: list[Outcome], rounds: int) -> int:
    """Print the figures; 1 if a round is missing."""
    print(f"\n{table(outcomes)}\n\ndone: {steps(outcomes)}")
    for said, times in sum((outcome.refusals for outcome in outcomes), Counter()).most_common():
        print(f"refused {times:,} times: {said}")
    print(f"{len(outcomes):,} of {rounds:,} rounds add up to the packet")
    return int(len(outcomes) < rounds)


sys.exit(main())
