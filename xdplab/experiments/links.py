"""Whether packets can pass between a generator and an engine, now."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

from xdplab.core.errors import KernelError, XdplabError

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic


def broken_link(engine: Engine, traffic: Traffic | None) -> KernelError | None:
    """Return why no packet can pass and which command helps; None where packets can.

    Parameters
    ----------
    engine
        Open.
    traffic
        Its generator, whose interface is looked at as well.
    """
    states = engine.broken_links()
    if traffic is not None:
        with suppress(XdplabError):  # gone, which is an error of the generator's
            states.append(traffic.sender.interface.look().state)
    for state in states:
        if not state.passes:
            return KernelError(f"measure on {state.name}", errno.ENETDOWN, state.trouble())
    return None
