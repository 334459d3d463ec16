"""A benchmark's options, and its run with them: for `xdplab bench` and for tools/."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.report.page import check_place, write_page
from xdplab.bench.report.report import render
from xdplab.cli.numbers import reader_of
from xdplab.core import checks
from xdplab.core.files import REPLACED
from xdplab.core.output import say


def add_options(parser: argparse.ArgumentParser, benchmark: Benchmark) -> None:
    """Add the benchmark's options, ``--json`` and ``--report``."""
    for name, option in benchmark.options.items():
        default = option.default
        several = default if isinstance(default, tuple) else (default,)
        # Whole numbers are shown without a decimal point, also for options that take fractions.
        shown = " ".join(str(value).removesuffix(".0") for value in several)
        parser.add_argument(
            f"--{name}",
            type=reader_of(type(several[0])),
            nargs="+" if isinstance(default, tuple) else None,
            default=default,
            metavar="N" if isinstance(several[0], int | float) else "NAME",
            help=f"{option.help} ({shown})",
        )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.add_argument(
        "--report", metavar="FILE", help="write an HTML report with figures as well"
    )


def run(benchmark: Benchmark, options: argparse.Namespace, *program: str) -> int:
    """Run a benchmark, print its result, and write the report that was asked for.

    Parameters
    ----------
    benchmark
        The benchmark.
    options
        What `add_options` read; and ``backend``, if the command has that option.
    program
        The words of the command before the options, for the report.

    Returns
    -------
    int
        The exit status: 1 when standard output can't be written.
    """
    report = options.report
    place = None if report is None else check_place(checks.place("report", report))
    chosen = {name: getattr(options, name) for name in benchmark.options}
    result = benchmark.run(**chosen, quiet=options.json)
    backend = getattr(options, "backend", None)
    way = {} if backend is None else {"backend": backend}
    result["command"] = _command(program, chosen | way)
    is_said = say(json.dumps(result) if options.json else render(benchmark, result))
    if place is not None:
        older = REPLACED if place.exists() else ""
        write_page(place, benchmark, result)
        if not options.json:
            is_said = say(f"report: {place}{older}") and is_said
    return int(not is_said)


def _command(program: tuple[str, ...], chosen: Mapping[str, object]) -> str:
    """Return the command line, with all options, also those at their defaults."""
    words = list(program)
    for option, value in chosen.items():
        several = value if isinstance(value, list | tuple) else (value,)
        words += [f"--{option}", *(str(one).removesuffix(".0") for one in several)]
    return shlex.join(words)
