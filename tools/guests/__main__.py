"""Runs the tests, a command or a shell in virtual machines: see docs/virtual-machines.md."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import redirect_stdout
from io import StringIO
from itertools import product
from pathlib import Path

from guests.cases_page import CARD, KERNEL, read_run, run_here, run_there
from guests.cases_page import write_page as write_cases_page
from guests.errors import BootError, VirtualMachineError
from guests.guest import Guest
from guests.lists import CARDS, KERNELS, SELECTED
from guests.page import write_page
from guests.store import Store

_FOLDER = Path(__file__).resolve().parents[2]
_SEVERAL = {"all": tuple(product(KERNELS, CARDS)), "selected": SELECTED}
_PAGE = _FOLDER / "docs" / "what-works.md"
_CASES_PAGE = _FOLDER / "docs" / "selftest-cases.md"
_TRIALS = "PYTHONPATH=tools:tests .venv/bin/python -m guests.trials"
_TESTS = "PYTHONPATH=tools .venv/bin/python -m pytest -q -rP -p no:cacheprovider tests/vm"


def main() -> int:
    """Read the command line, and do what it says."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    asked = _parser().parse_args()
    store = Store()
    try:
        if asked.what == "table":
            _write_table(store, asked.seconds)
            return 0
        if asked.what == "cases":
            return _write_cases(store, asked.seconds, asked.here)
        if asked.what in _SEVERAL:
            return _test_each(_SEVERAL[asked.what], store, asked.seconds)
        guest = Guest(asked.kernel, asked.card, asked.port)
        if asked.what == "shell":
            guest.shell(store, _FOLDER)
            return 0
        return _run(guest, store, asked.command or _tests(asked.long), asked.seconds)
    except VirtualMachineError as error:
        print(f"xdplab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/vm", description=__doc__)
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    run = kinds.add_parser("run", help="run the tests, or a command, in a guest")
    shell = kinds.add_parser("shell", help="open a shell in a guest")
    table = kinds.add_parser("table", help="try all there is, and write it down")
    cases = kinds.add_parser("cases", help="the cases of the kernel's selftest, likewise")
    several = [
        kinds.add_parser(name, help=f"the tests in {len(_SEVERAL[name])} guests")
        for name in _SEVERAL
    ]
    for one in (run, shell):
        one.add_argument("--kernel", choices=KERNELS, default="newest")
        one.add_argument("--card", choices=CARDS, default="igb")
        one.add_argument(
            "--port", type=int, default=0, help="of 127.0.0.1, that leads to the guest's port 8888"
        )
    which = run.add_mutually_exclusive_group()
    which.add_argument("--command", default="", help="for bash, in place of the tests")
    which.add_argument("--long", action="store_true", help="the tests that take minutes, alone")
    cases.add_argument("--here", action="store_true", help="the cases on veth alone")
    for each in (run, table, cases, *several):
        each.add_argument("--seconds", type=float, default=900, help="the most for each guest")
    return parser


def _tests(long: bool = False) -> str:
    """Return the command of the tests, or of those that take minutes."""
    return f"{_TESTS} -m {'long' if long else shlex.quote('not long')}"


def _run(guest: Guest, store: Store, command: str, seconds: float) -> int:
    """Run a command in a guest, which is started once more where its boot hangs."""
    try:
        return guest.run(store, _FOLDER, command, seconds)
    except BootError as error:
        print(f"xdplab: {error}\nxdplab: one boot in some forty hangs: again", file=sys.stderr)
        return guest.run(store, _FOLDER, command, seconds)


def _write_table(store: Store, seconds: float) -> None:
    """Try modes, actions and wait strategies with each kernel and each card; write the page."""
    said: dict[tuple[str, str], str] = {}
    for kernel, card in product(KERNELS, CARDS):
        with redirect_stdout(StringIO()) as lines:
            _run(Guest(kernel, card), store, _TRIALS, seconds)
        said[kernel, card] = lines.getvalue()
        print(f"kernel {kernel}, {card}: {len(said[kernel, card].splitlines()) - 1}", flush=True)
        write_page(_PAGE, said)  # after each: one that fails does not lose those before


def _write_cases(store: Store, seconds: float, here_alone: bool) -> int:
    """Run the cases of the kernel's selftest here and in a guest; write the page."""
    runs = [read_run(run_here(_FOLDER))]
    if not here_alone:
        guest = Guest(KERNEL, CARD)
        runs.append(read_run(run_there(lambda command: _run(guest, store, command, seconds))))
    return int(not write_cases_page(_CASES_PAGE, runs))


def _test_each(pairs: Iterable[tuple[str, str]], store: Store, seconds: float) -> int:
    """Run the tests with each kernel and card of these, and list how it went."""
    ended: list[tuple[str, str, str, float]] = []
    for kernel, card in pairs:
        print(f"== kernel {kernel}, {card}", flush=True)
        begun = time.monotonic()
        try:
            status = _run(Guest(kernel, card), store, _tests(), seconds)
            outcome = "passed" if status == 0 else "failed"
        except VirtualMachineError as error:
            print(f"xdplab: {error}", file=sys.stderr)
            outcome = "no end"
        ended.append((kernel, card, outcome, time.monotonic() - begun))
    for kernel, card, outcome, took in ended:
        print(f"{kernel:<8} {card:<12} {outcome:<8} {took:4.0f} s")
    return int(any(outcome != "passed" for *_, outcome, _took in ended))


sys.exit(main())
