"""xdplab's worker with a handler that does what an action does: in C, and compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from xdplab.bench.receiver import OurWorker
from xdplab.engine.engine import Engine
from xdplab.handlers import DROP, SEND_BACK, Handler, c_handler, signature

_IN_C = {
    "drop": """
uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
{
    return XDPLAB_DROP;
}
""",
    "reflect": """
#include <string.h>

uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
{
    uint8_t kept[6];

    if (packet->length < 14)
        return XDPLAB_DROP;
    memcpy(kept, data, 6);
    memcpy(data, data + 6, 6);
    memcpy(data + 6, kept, 6);
    return XDPLAB_SEND_BACK;
}
""",
}


def _in_c(action: str) -> Handler:
    return c_handler(_IN_C[action], sends=action != "drop", name=f"{action} in C")


def _by_numba(action: str) -> Handler:
    numba = import_module("numba")
    drop, send_back, carray = DROP, SEND_BACK, numba.carray

    def dropping(_data: Any, _packet: Any, _state: Any) -> int:
        return drop

    def reflecting(data: Any, packet: Any, _state: Any) -> int:
        if carray(packet, 1)[0].length < 14:
            return drop
        frame = carray(data, 14)
        for place in range(6):
            frame[place], frame[place + 6] = frame[place + 6], frame[place]
        return send_back

    function = {"drop": dropping, "reflect": reflecting}[action]
    return Handler(
        numba.cfunc(signature())(function), sends=action != "drop", name=f"{action} by numba"
    )


HANDLERS: dict[str, Callable[[str], Handler]] = {"C": _in_c, "numba": _by_numba}
"""What makes a handler that does as an action, by what it is written in."""


class HandledWorker(OurWorker):
    """Receives a run's traffic with an engine that has a handler.

    Parameters
    ----------
    wait, batch
        As for `Engine`.
    made_by
        A name in `HANDLERS`.
    does
        The action whose work it does: ``"drop"`` or ``"reflect"``.
    """

    def __init__(self, wait: str, made_by: str, does: str, batch: int) -> None:
        super().__init__(wait, f"{does} in {made_by}", batch=batch)
        self._made_by, self._does = made_by, does

    def missing(self) -> str | None:
        """Return what to do if numba is missing."""
        if self._made_by == "numba" and not find_spec("numba"):
            return "not installed: pip install numba"
        return None

    def _prepare(self, engine: Engine) -> None:
        engine.handler = HANDLERS[self._made_by](self._does)
