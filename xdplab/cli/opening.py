"""What the options of a command ask for: an engine or a capture, and traffic for it."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import TypeVar

from xdplab.backends import BEST
from xdplab.capture.capture import Capture
from xdplab.configuration.keywords import grouped
from xdplab.core.checks import whole
from xdplab.core.cores import cores_for_queue
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import MOST_QUEUES, Lab
from xdplab.net.stream import Rate, checked_rate

Kind = TypeVar("Kind", Engine, Capture)

_ENGINE_OPTIONS = (
    *("queue", "wait", "batch", "ring_size", "frame_size", "multi_buffer", "attach", "bind"),
    *("match", "promiscuous", "allow_default_route"),
)
"""Options that are arguments of `Engine`; None if not given."""


def opened(
    options: argparse.Namespace, stack: ExitStack, kind: type[Kind]
) -> tuple[Kind, Traffic | None]:
    """Open an engine or a capture, and the traffic; the stack closes them."""
    settings = {name: getattr(options, name) for name in _ENGINE_OPTIONS}
    settings = {name: value for name, value in settings.items() if value is not None}
    if options.interface is not None:
        if options.backend not in (None, BEST):
            raise ConfigurationError(
                "--backend says who makes a lab, and --interface names a real one. Leave one out."
            )
        if options.rate not in (None, "none"):
            raise ConfigurationError(
                f"{options.rate_option} is made in a lab, and --interface names a real one. "
                "Leave one out."
            )
        return stack.enter_context(kind(options.interface, **grouped(settings))), None
    queue = whole("queue", options.queue or 0, 0, MOST_QUEUES - 1)
    queues = queue + 1
    rate = _rate(options)
    lab = stack.enter_context(Lab(queues=queues))
    if rate is None:
        return stack.enter_context(kind(lab.port, **grouped(settings))), None
    generator, worker = cores_for_queue(queue, queues)
    size = {} if options.size is None else {"size": options.size}
    traffic = Traffic(lab.peer, lab.port, rate=rate, cpu=generator, **size)
    stack.callback(traffic.close)
    return stack.enter_context(kind(lab.port, cpu=worker, **grouped(settings))), traffic


def _rate(options: argparse.Namespace) -> Rate | None:
    text = options.rate or "max"
    try:
        return None if text == "none" else checked_rate(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error} With 'none' nothing is sent.") from None
