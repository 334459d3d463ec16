"""Options that several commands have."""

from __future__ import annotations

import argparse

from xdplab.backends import BACKENDS
from xdplab.cli.numbers import reader_of
from xdplab.core.errors import ConfigurationError
from xdplab.core.text import number_of
from xdplab.knobs.kinds import SWITCH
from xdplab.knobs.table import KNOBS


def add_knob(parser: argparse.ArgumentParser, name: str, words: str = "") -> None:
    """Add a knob's option; it is None if not given."""
    knob = KNOBS[name]
    words = words or knob.help
    words = f"{words[0].lower()}{words[1:]}"
    option = f"--{name.replace('_', '-')}"
    if knob.kind is SWITCH:
        parser.add_argument(option, action="store_true", default=None, help=words)
        return
    is_number = knob.kind.type.startswith("int")
    values = "" if is_number else f": {knob.kind.range}".replace('"', "")
    words = f"{words}{values} ({knob.default})"
    kind, metavar = (reader_of(int), "N") if is_number else (str, "NAME")
    parser.add_argument(option, type=kind, metavar=metavar, help=words)


class AsTyped(argparse.Action):
    """Also stores the option's name as typed: for ``rate`` in ``rate_option``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Store both."""
        setattr(namespace, self.dest, values)
        setattr(namespace, f"{self.dest}_option", option_string)


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add the option that names who makes the lab."""
    parser.add_argument(
        "--backend",
        metavar="NAME",
        help=f"who makes the lab: {', '.join(BACKENDS)} (the first that can be used here)",
    )


def add_traffic(parser: argparse.ArgumentParser, *more: str) -> None:
    """Add the options of what is sent in a lab; `more` are other names of the rate."""
    parser.add_argument(
        *("--rate", *more),
        action=AsTyped,
        metavar="max|PPS|none",
        help="packets a second in the lab (max); with --interface: none",
    )
    add_knob(parser, "size")


def seconds_of(text: str) -> float:
    """Read how long something is to take, for `argparse`."""
    try:
        seconds = number_of(text, "s")
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError("must be above 0, and a day at most")
    return seconds


def add_sockets(parser: argparse.ArgumentParser) -> None:
    """Add the options of sockets and UMEM, and of where they may be."""
    of_memory = ("ring_size", "frame_size", "multi_buffer")
    for name in (*of_memory, "attach", "bind", "match", "promiscuous"):
        add_knob(parser, name)
    parser.add_argument(
        "--allow-default-route",
        action="store_true",
        default=None,
        help="even on the interface that carries the default route",
    )
