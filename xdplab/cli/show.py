"""The command `xdplab show`: an engine's rings and dashboard, for many browsers."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack

from xdplab.cli.numbers import reader_of
from xdplab.cli.opening import opened
from xdplab.cli.options import add_backend, add_knob, add_sockets, add_traffic, seconds_of
from xdplab.cli.spelling import as_options
from xdplab.core.output import complain, say
from xdplab.core.signals import Signals
from xdplab.engine.engine import Engine

_LOOK_SECONDS = 0.2
_PORT = 8900


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.set_defaults(command=_show)
    parser.add_argument("--interface", metavar="NAME", help="a real interface instead of a lab")
    add_knob(parser, "queue", "its receive queue")
    add_knob(parser, "wait")
    add_knob(parser, "batch")
    add_knob(parser, "action")
    parser.add_argument(
        "--pace", type=seconds_of, metavar="N", help="slow motion: a batch every so many seconds"
    )
    add_traffic(parser)
    add_sockets(parser)
    add_backend(parser)
    parser.add_argument(
        "--address",
        metavar="IP",
        default="127.0.0.1",
        help="where to listen (127.0.0.1, for browsers of this machine); 0.0.0.0: for all that "
        "reach it",
    )
    parser.add_argument(
        "--port", type=reader_of(int), metavar="N", default=_PORT, help=f"TCP port ({_PORT})"
    )
    parser.add_argument("--seconds", type=seconds_of, metavar="N", help="end after this time")


def _show(options: argparse.Namespace) -> int:
    from xdplab.widgets import Dashboard, LivePage, Rings  # noqa: PLC0415 - they import Bokeh

    signals: Signals = options.signals
    with ExitStack() as stack:
        engine, traffic = opened(options, stack, Engine)
        if options.action is not None:
            engine.action = options.action
        if options.pace is not None:
            engine.pace = options.pace
        page = LivePage(
            [Rings(engine), Dashboard(engine, traffic, compact=True)],
            address=options.address,
            port=options.port,
            title=f"xdplab: {engine.name_of(0)} queue {engine.queue}",
        )
        stack.callback(page.close)
        if traffic is not None:
            traffic.start()
        signals.wait()
        if not say(f"{page.url}\nCtrl-C ends it."):
            return 1
        end = None if options.seconds is None else time.monotonic() + options.seconds
        while not signals.status and (end is None or time.monotonic() < end):
            time.sleep(_LOOK_SECONDS)
            if engine.error is not None:
                complain(f"xdplab: {as_options(str(engine.error), options)}")
                return 1
        return signals.status
