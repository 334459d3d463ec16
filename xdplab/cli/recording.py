"""The command `xdplab capture`: packets into a file, whole."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack, suppress

from xdplab.capture.capture import Capture
from xdplab.capture.recorder import BATCH, RING_SIZE, Recorder, record
from xdplab.cli.numbers import reader_of
from xdplab.cli.opening import opened
from xdplab.cli.options import AsTyped, add_backend, add_knob, add_sockets, add_traffic, seconds_of
from xdplab.core.checks import whole
from xdplab.core.errors import ConfigurationError, KernelError
from xdplab.core.output import complain, say
from xdplab.core.signals import Signals
from xdplab.core.text import number_of
from xdplab.knobs.table import KNOBS
from xdplab.ledger.lines import Line

_MOST = 1 << 62
_SMALLEST_FILE = 4096
_LOST = (Line.RING_FULL, Line.NO_FILL)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.set_defaults(command=_capture)
    parser.add_argument(
        "--write", dest="path", action=AsTyped, metavar="FILE", required=True, help="a pcapng file"
    )
    parser.add_argument(
        "--filter", metavar="TEXT", default="", help="as for tcpdump: 'udp port 53'"
    )
    parser.add_argument("--count", type=reader_of(int), metavar="N", help="end after so many")
    parser.add_argument("--seconds", type=seconds_of, metavar="N", help="end after this time")
    parser.add_argument(
        "--rotate", metavar="SIZE", help="begin another file after so many bytes, such as 100M"
    )
    parser.add_argument("--interface", metavar="NAME", help="a real interface instead of a lab")
    add_knob(parser, "queue", "its receive queue")
    add_knob(parser, "wait")
    add_knob(parser, "batch", f"{KNOBS['batch'].help}; here {BATCH}, or the ring's size")
    add_traffic(parser)
    add_sockets(parser)
    add_backend(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def _capture(options: argparse.Namespace) -> int:
    count = None if options.count is None else whole("count", options.count, 1, _MOST)
    rotate = _bytes(options.rotate)
    if options.ring_size is None:
        options.ring_size = RING_SIZE
    if options.batch is None:
        options.batch = min(BATCH, options.ring_size)
    with ExitStack() as stack:
        capture, traffic = opened(options, stack, Capture)
        capture.filter(options.filter)
        recorder = Recorder(options.path, rotate)
        stack.callback(recorder.close)
        signals: Signals = options.signals
        signals.wait()  # so that no signal cuts a block
        ledger = capture.ledger(traffic)
        if traffic is not None:
            traffic.start()
        error: KernelError | None = None
        try:
            with suppress(KeyboardInterrupt):
                record(capture, recorder, count, options.seconds, signals.check)
        except KernelError as ended:  # the disk is full, the interface gone: tell what there is
            error = ended
        if traffic is not None:
            traffic.stop()
        account, total = ledger.read(), capture.telemetry.total()
        said = {
            "files": [str(each) for each in recorder.files],
            "packets": recorder.packets,
            "filtered": int(total["filtered"]),
            "received": int(total["rx_packets"]),
            "lost": sum(map(account.packets, _LOST)),
            "interrupted": bool(signals.status),
            "error": None if error is None else str(error),
            "simulated": capture.simulated,
        }
        words = json.dumps(said) if options.json else _words(recorder, said, account.explain())
        is_said = say(words)
        if error is not None:
            complain(f"xdplab: {error}")
        return signals.status or int(not is_said or error is not None)


def _words(recorder: Recorder, said: dict[str, object], explanation: str) -> str:
    left_out = f", {said['filtered']:,} left out by the filter" if said["filtered"] else ""
    mark = " [simulated]" if said["simulated"] else ""
    return f"{recorder}{left_out}{mark}\n{explanation}"


def _bytes(text: str | None) -> int:
    """Read a size: 100M, 2G, 65536."""
    if text is None:
        return 0
    try:
        return whole("rotate", number_of(text), _SMALLEST_FILE, _MOST)
    except ConfigurationError:
        raise ConfigurationError(
            f"rotate={text!r} must be bytes, {_SMALLEST_FILE:,} or more, such as 100M."
        ) from None
