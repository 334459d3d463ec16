"""Checks whether packets can pass between a generator and an engine now."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

from xdplab.core.errors import KernelError, XdplabError

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic


def broken_link(engine: Engine, traffic: Traffic | None) -> KernelError | None:
    """Return why no packet can pass and which command helps; None if packets can pass.

    Parameters
    ----------
    engine
        The engine, open.
    traffic
        Its generator, whose interface is checked as well.
    """
    states = engine.broken_links()
    if traffic is not None:
        with suppress(XdplabError):  # the interface is gone, which the generator itself reports
            states.append(traffic.sender.interface.look().state)
    for state in states:
        if not state.passes:
            return KernelError(f"measure on {state.name}", errno.ENETDOWN, state.trouble())
    return None
