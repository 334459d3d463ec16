"""Runs the tests, a command or a shell in virtual machines: see docs/virtual-machines.md."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from guests.errors import VirtualMachineError
from guests.guest import Guest
from guests.lists import CARDS, KERNELS
from guests.store import Store

_FOLDER = Path(__file__).resolve().parents[2]
_TESTS = "PYTHONPATH=tools .venv/bin/python -m pytest -q -rP -p no:cacheprovider tests/vm"


def main() -> int:
    """Read the command line, and do what it says."""
    asked = _parser().parse_args()
    store = Store()
    try:
        if asked.what == "all":
            return _test_all(store, asked.seconds)
        guest = Guest(asked.kernel, asked.card, asked.port)
        if asked.what == "shell":
            guest.shell(store, _FOLDER)
            return 0
        return guest.run(store, _FOLDER, asked.command or _TESTS, asked.seconds)
    except VirtualMachineError as error:
        print(f"xdplab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/vm", description=__doc__)
    parser.add_argument(
        "what", choices=("run", "shell", "all"), help="run: the tests, or --command"
    )
    parser.add_argument("--kernel", choices=KERNELS, default="newest")
    parser.add_argument("--card", choices=CARDS, default="igb")
    parser.add_argument(
        "--port", type=int, default=0, help="of 127.0.0.1, that leads to the guest's port 8888"
    )
    parser.add_argument("--command", default="", help="for bash, in place of the tests")
    parser.add_argument("--seconds", type=float, default=900, help="the most for each guest")
    return parser


def _test_all(store: Store, seconds: float) -> int:
    """Run the tests with each kernel and each card, and list how it went."""
    ended: list[tuple[str, str, str, float]] = []
    for kernel in KERNELS:
        for card in CARDS:
            print(f"== kernel {kernel}, {card}", flush=True)
            begun = time.monotonic()
            try:
                status = Guest(kernel, card).run(store, _FOLDER, _TESTS, seconds)
                outcome = "passed" if status == 0 else "failed"
            except VirtualMachineError as error:
                print(f"xdplab: {error}", file=sys.stderr)
                outcome = "no end"
            ended.append((kernel, card, outcome, time.monotonic() - begun))
    for kernel, card, outcome, took in ended:
        print(f"{kernel:<8} {card:<12} {outcome:<8} {took:4.0f} s")
    return int(any(outcome != "passed" for *_, outcome, _took in ended))


sys.exit(main())
