"""Reconfiguring: drain the rings, close the sockets, open others with the new settings.

Meanwhile the XDP program passes to the stack the packets that it would redirect, and counts them
(native/xdp/port.h).
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from xdplab.core.checks import shown
from xdplab.core.errors import ConfigurationError
from xdplab.knobs.table import KNOBS, names_of_home
from xdplab.ledger.counting_points import device_packets
from xdplab.net.namespace import to_the_end

if TYPE_CHECKING:
    from xdplab.configuration.configuration import Configuration
    from xdplab.engine.engine import Engine
    from xdplab.engine.native_engine import NativeEngine

_DRAIN_SECONDS = 1.0
_LOOK_SECONDS = 0.01


_TYPED = {
    "engine": "engine",
    "steering": "engine.steering",
    "napi": "engine.napi",
    "traffic": "traffic",
}


def refuse_unless_of_sockets(name: str, value: object, made_with: Mapping[str, str]) -> None:
    """Reject a setting that needs no new sockets, and say how it is set.

    Parameters
    ----------
    name, value
        The keyword of `Engine.reconfigure`.
    made_with
        How `Engine` is told what it takes, by name, with a gap for the value.
    """
    knob = KNOBS.get(name)
    if knob is not None and knob.home == "sockets":
        return
    refused = f"reconfigure takes no {name}={shown(value)}"
    if knob is not None:
        set_it = f"{_TYPED[knob.home]}.{name} = {shown(value)}"
        raise ConfigurationError(f"{refused}: {name} is a knob, {set_it}.")
    if name in made_with:
        raise ConfigurationError(f"{refused}. Make another engine: Engine(..., {made_with[name]}).")
    names = names_of_home("sockets")
    hint = ""
    for near in difflib.get_close_matches(name, KNOBS, 1):
        set_it = f"{_TYPED.get(KNOBS[near].home)}.{near} = {shown(value)}"
        hint = f" Did you mean {near if near in names else set_it!r}?"
    raise ConfigurationError(f"{refused}. It takes: {', '.join(names)}.{hint}")


def reconfigure(engine: Engine, native: NativeEngine, changes: Mapping[str, Any]) -> None:
    """Implement `Engine.reconfigure`."""
    old, batch = native.configuration, engine.batch
    try:
        to_the_end(partial(_reconfigure, engine, native, changes))
    except KeyboardInterrupt:
        if native.configuration is not old:
            before = {name: old.setting(name) for name in changes}
            to_the_end(partial(_reconfigure, engine, native, before))
        raise
    # On the caller's thread, since a journal groups changes by thread.
    engine.journal.note("batch", batch, engine.batch)
    for name in changes:
        engine.journal.note(name, old.setting(name), native.configuration.setting(name))


def _reconfigure(engine: Engine, native: NativeEngine, changes: Mapping[str, Any]) -> None:
    with native.lock:
        native.check_ours()
        native.check_not_held()
        fault = engine.error
        own = native.own_program
        if fault and (engine.has_ended or (own is not None and own.program.closed)):
            raise fault
        old, new = native.configuration, native.configuration.changed(changes)
        runs, pace, batch = native.started, native.load("pace_ns"), engine.batch
        gap = _Gap(native)

        def go_on_with(configuration: Configuration) -> None:
            native.store("pace_ns", pace)
            native.reconfigure(configuration)
            engine.napi.queues = engine.queues
            native.store("batch", min(batch, engine.ring_size))
            if runs:
                engine.start()

        try:
            native.store("pace_ns", 0)
            native.pause()
            if not old.delivers:  # whoever receives would have to run the turns that drain
                _drain(engine, native)
            gap.may_begin()
            go_on_with(new)
            engine._times_bypassed += fault is not None
        except BaseException:  # an engine must never be left without sockets
            go_on_with(old)
            raise
        finally:
            engine.uncounted += gap.packets()


class _Gap:
    """The drivers' counts around a reconfiguration that may leave an interface without a program.

    Parameters
    ----------
    native
        The engine that is reconfigured.
    """

    def __init__(self, native: NativeEngine) -> None:
        self._native, self._interfaces = native, native.configuration.interfaces
        self._detachments = native.detachments
        self._before = 0

    def may_begin(self) -> None:
        """Count from now on."""
        self._before = self._count()

    def packets(self) -> int:
        """Return the packets since `may_begin`; 0 if there was a program all the time."""
        without_program = self._native.detachments > self._detachments
        return self._count() - self._before if without_program else 0

    def _count(self) -> int:
        return sum(map(device_packets, self._interfaces))


def _drain(engine: Engine, native: NativeEngine) -> None:
    """Let the workers drain their rings, where nothing new arrives, and stop them."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    native.start()
    begun_ns = time.monotonic_ns()
    while not (engine.has_ended or _is_empty(engine, begun_ns)) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    native.stop()


def _is_empty(engine: Engine, since_ns: int) -> bool:
    """Tell whether records newer than `since_ns` show no packet in a ring or to be completed.

    A ring that is empty stays empty: nothing arrives any more.
    """
    workers = range(engine.telemetry.workers)
    each = np.array([engine.telemetry.counters(worker) for worker in workers])
    return bool(
        np.all(each["time_ns"] >= since_ns)
        and np.all(each["rx_producer"] == each["rx_consumer"])
        and np.all(each["tx_producer"] == each["completion_producer"])
    )
