"""The command `xdplab`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import xdplab
from xdplab.backends import BACKENDS, VARIABLE
from xdplab.bench import BENCHMARKS
from xdplab.broker.command import add_options as add_broker_options
from xdplab.broker.command import start_isolated
from xdplab.cli import benchmarks, course, recording, show
from xdplab.cli.opening import opened
from xdplab.cli.options import add_backend, add_knob, add_sockets, add_traffic, seconds_of
from xdplab.cli.spelling import as_options
from xdplab.core.checks import choice
from xdplab.core.errors import ConfigurationError, XdplabError
from xdplab.core.output import complain, laid_out, say, take_any_text
from xdplab.core.own_process import of_a_shell
from xdplab.core.signals import Signals
from xdplab.engine.engine import Engine
from xdplab.experiments.measure import measure
from xdplab.knobs.table import KNOBS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status.

    It is 0 for success, 1 for an error, 2 for a wrong call; and 128 plus the number of a signal
    that ended the command: 130 after Ctrl-C, 143 after SIGTERM.
    """
    signals = Signals()
    try:
        with signals, of_a_shell():
            return _main(arguments, signals)
    except KeyboardInterrupt:
        return signals.status or 128 + signal.SIGINT


def _main(arguments: Sequence[str] | None, signals: Signals) -> int:
    take_any_text()
    options = _parser().parse_args(arguments)
    options.signals = signals
    # The engine's warnings are in the table and in the JSON object.
    warnings.filterwarnings("ignore", "wait=.* is ineffective here", UserWarning)
    with warnings.catch_warnings():
        warnings.showwarning = partial(_show_warning, options)
        try:
            with _chosen_backend(getattr(options, "backend", None)):
                return int(options.command(options))
        except XdplabError as error:
            _complain(options, error)
            return 2 if isinstance(error, ConfigurationError) else 1


def _show_warning(
    options: argparse.Namespace, message: Warning | str, *_where: object, **_more: object
) -> None:
    _complain(options, message)


def _complain(options: argparse.Namespace, message: object) -> None:
    complain(f"xdplab: {as_options(str(message), options)}")


@contextmanager
def _chosen_backend(name: str | None) -> Iterator[None]:
    """Use a backend for all labs of this process."""
    before = os.environ.get(VARIABLE, "")  # empty: no backend is chosen
    if name is not None:
        os.environ[VARIABLE] = choice("backend", name, BACKENDS)
    try:
        yield
    finally:
        os.environ[VARIABLE] = before


class _Parser(argparse.ArgumentParser):
    """Takes whole names of options only, and prints its messages with `say` and `complain`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(allow_abbrev=False, **given)

    def _print_message(self, message: str, file: object = None) -> None:
        if message:
            (complain if file is sys.stderr else say)(message.removesuffix("\n"))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="xdplab", description="See and tune the fast packet paths of Linux, live."
    )
    parser.set_defaults(command=partial(_list_commands, parser))
    parser.add_argument("--version", nargs=0, action=_Version, help="show the version, and exit")
    commands = parser.add_subparsers(metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="capture with AF_XDP and show what it costs",
        description="Capture with AF_XDP. Without --interface, in a lab of its own: two network "
        "namespaces joined by a veth pair, with traffic made in the kernel.",
    )
    run.set_defaults(command=_run)
    run.add_argument("--interface", metavar="NAME", help="a real interface instead of a lab")
    add_knob(run, "queue", "its receive queue")
    add_knob(run, "wait")
    add_knob(run, "batch", f"{KNOBS['batch'].help}, at most the ring's size")
    run.add_argument("--seconds", type=seconds_of, default=10.0, metavar="N", help="how long (10)")
    add_traffic(run, "--traffic")
    add_sockets(run)
    add_backend(run)
    run.add_argument("--json", action="store_true", help="print one JSON object at the end")

    recording.add_options(
        commands.add_parser(
            "capture",
            help="record packets into a file, whole",
            description="Record packets into a pcapng file with AF_XDP, whole. What is captured "
            "does not reach the stack. Without --interface, in a lab of its own.",
        )
    )

    show.add_options(
        commands.add_parser(
            "show",
            help="show rings and dashboard to many browsers",
            description="Show an engine's rings and dashboard on a page for many browsers, which "
            "change nothing. Without --interface, in a lab of its own.",
        )
    )

    doctor = commands.add_parser("doctor", help="check what this machine has and lacks")
    doctor.set_defaults(command=_doctor)
    doctor.add_argument(
        "--interface",
        metavar="NAME",
        default="",
        help="try zero-copy on this real interface, too, whose link may be set up anew for that",
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON object")

    course.add_options(
        commands.add_parser(
            "course",
            help="list the lessons, or open one",
            description="List the lessons, the time that each takes, and the exercises that you "
            "solved.",
        )
    )

    add_broker_options(
        broker := commands.add_parser(
            "broker",
            help="do privileged work for the members of a group",
            description="Do privileged work for the members of a group: real AF_XDP in labs of "
            "their own, and on the host's interfaces that --interface names, and no others. Run it "
            "as root, from an install that nobody else can write. For systemd, see the units in "
            "the package's folder broker/.",
        )
    )
    broker.set_defaults(command=start_isolated)

    _add_benchmarks(
        commands.add_parser(
            "bench",
            help="compare, alternating in one run",
            description="Run a benchmark; without a name, list them.",
        )
    )
    return parser


class _Version(argparse.Action):
    """Reads the version only when it is asked for, which is slow."""

    def __call__(self, parser: argparse.ArgumentParser, *_given: object) -> None:
        parser.exit(int(not say(f"xdplab {xdplab.__version__}")))


def _list_commands(parser: argparse.ArgumentParser, _options: argparse.Namespace) -> int:
    parser.print_help(sys.stderr)
    return 2


def _add_benchmarks(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_list_benchmarks)
    commands = parser.add_subparsers(metavar="BENCHMARK")
    for name, benchmark in BENCHMARKS.items():
        command = commands.add_parser(name, help=benchmark.help)
        command.set_defaults(command=_bench, benchmark=name)
        benchmarks.add_options(command, benchmark)
        add_backend(command)


def _run(options: argparse.Namespace) -> int:
    if not options.json:  # rich is slow to import, and packets that come meanwhile would not count
        from xdplab.cli.terminal import run_live  # noqa: PLC0415
    with ExitStack() as stack:
        engine, traffic = opened(options, stack, Engine)
        signals: Signals = options.signals
        signals.wait()  # so that no signal discards the figures so far
        if options.json:
            measurement, _ = measure(engine, traffic, options.seconds, signals.check)
            words = json.dumps(measurement.as_dict())
        else:
            measurement, words = run_live(engine, traffic, options.seconds, signals.check)
            if measurement.interrupted:
                ran = f"{measurement.seconds:.2f} of {options.seconds:g} s"
                words = f"{words}\n{signals} ended it after {ran}."
        is_said = say(words)
        if measurement.error is not None:
            _complain(options, measurement.error)
        return signals.status or int(not is_said or measurement.error is not None)


def _doctor(options: argparse.Namespace) -> int:
    from xdplab import doctor  # noqa: PLC0415 - imports modules that a capture does not need

    findings = doctor.examine(interface=options.interface)
    if options.json:
        words = json.dumps(doctor.as_json(findings))
    else:
        words = laid_out(lambda console: console.print(doctor.report(findings)))
    return int(not say(words) or not doctor.can_capture(findings))


def _list_benchmarks(_options: argparse.Namespace) -> int:
    return int(not say("\n".join(f"{name:<10}{b.help}" for name, b in BENCHMARKS.items())))


def _bench(options: argparse.Namespace) -> int:
    benchmark = BENCHMARKS[options.benchmark]
    return benchmarks.run(benchmark, options, "xdplab", "bench", benchmark.name)
