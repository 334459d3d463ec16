"""Settings: values of an engine's knobs, and of its generator's, set together and put back.

A setting is a mapping of a knob's name to its value, wherever the knob is turned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from xdplab.configuration.configuration import LARGEST_RING, Configuration
from xdplab.core.calls import public_function
from xdplab.core.checks import choice, is_a, items, mapping, power_of_two, text, whole
from xdplab.core.errors import ConfigurationError, XdplabError
from xdplab.knobs.row import Home
from xdplab.knobs.steering import knobs_of
from xdplab.knobs.table import KNOBS
from xdplab.ledger.subjects import check_engine, check_traffic

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic


def check(names: Iterable[str], argument: str = "names") -> None:
    """Raise `ConfigurationError`, which lists the knobs, for a name that is no knob's."""
    argument = text("argument", argument)
    for name in _listed(names, argument):
        choice(f"{argument}: knob", name, KNOBS)


def _listed(names: object, argument: str = "names") -> list[str]:
    """Return names of knobs, also those of a mapping."""
    if is_a(names, Mapping):
        return list(mapping(argument, names, "knobs"))
    return items(argument, names, "names of knobs")


@public_function
def current(
    engine: Engine, names: Iterable[str], traffic: Traffic | None = None
) -> dict[str, object]:
    """Read a setting.

    Parameters
    ----------
    engine
        Open.
    names
        The knobs to read.
    traffic
        The generator, for ``rate`` and ``size``.

    Returns
    -------
    dict
        Their values by name; None for a setting of NAPI or of the card that is not there, and for a
        ``cpu`` that is left to the engine.

    Raises
    ------
    ConfigurationError
        For another name, and for ``rate`` and ``size`` without a generator.
    """
    check_engine(engine)
    check_traffic(traffic)
    names = _listed(names)
    check(names)
    instance = None
    if any(KNOBS[name].home == "napi" for name in names):
        instance = next(iter(engine.napi.read()), None)
    steered = None
    if any(KNOBS[name].home == "steering" for name in names):
        steered = knobs_of(engine.steering.read())
    homes: dict[Home, object] = {
        "sockets": engine.configuration,
        "steering": steered,
        "napi": instance,
        "engine": engine,
        "traffic": traffic,
    }
    for name in names:
        _check_traffic(name, traffic)
    found = {name: homes[KNOBS[name].home] for name in names}
    return {name: _value(name, home) for name, home in found.items()}


def _value(name: str, home: object) -> object:
    """Read a knob where it is turned; None where there is no such place."""
    if isinstance(home, Configuration):
        return home.setting(name)
    return None if home is None else getattr(home, name)


@public_function
def apply(engine: Engine, settings: Mapping[str, object], traffic: Traffic | None = None) -> None:
    """Set all knobs of a setting, or none: one step for `undo`, except knobs that need new sockets.

    Knobs that have their value already are not touched, nor is a setting of NAPI or of the card
    whose value is None.

    Parameters
    ----------
    engine
        Running or stopped.
    settings
        Values by the names of `xdplab.KNOBS`.
    traffic
        The generator, for ``rate`` and ``size``.

    Raises
    ------
    ConfigurationError
        For another name, or a value that can't work.
    XdplabError
        When a knob is refused for another reason. All knobs have their old values then.
    """
    settings = mapping("settings", settings, "knobs' values by their names")
    check(settings, "settings")
    before = current(engine, _moved_by(settings), traffic)
    _check_batch(engine, settings)
    resocketed = _reconfigure(engine, before, settings)
    with _one_step(engine, traffic):
        try:
            for home, name, value in _turns(engine, before, settings, traffic, resocketed):
                setattr(home, name, value)
        except BaseException:
            _put_back(engine, before, traffic)
            raise


@contextmanager
def kept(engine: Engine, names: Iterable[str], traffic: Traffic | None = None) -> Iterator[None]:
    """Put knobs back at the end of the block, also after an exception or an interrupt.

    Changes that the block's thread makes are no steps for `undo`, since they don't last. If the
    engine is closed or ends in the block, nothing is put back.

    Parameters
    ----------
    engine
        Running or stopped.
    names
        The knobs.
    traffic
        The generator, for ``rate`` and ``size``.

    Raises
    ------
    ConfigurationError
        For a name that is not in `xdplab.KNOBS`.
    XdplabError
        When a knob refuses the value that it had, after the others were put back.
    """
    before = current(engine, _moved_by(names), traffic)
    with _no_step(engine, traffic):
        try:
            yield
        except BaseException:
            _put_back(engine, before, traffic)
            raise
        refusal = _put_back(engine, before, traffic)
    if refusal is not None:
        raise refusal


def _moved_by(names: Iterable[str]) -> list[str]:
    """Return the knobs that move with these: a smaller ring takes the batch along."""
    names = _listed(names)
    check(names)
    names = list(dict.fromkeys(names))
    resized = "ring_size" in names and "batch" not in names
    return [*names, "batch"] if resized else names


def _check_batch(engine: Engine, settings: Mapping[str, object]) -> None:
    """Refuse a batch above the ring of the same setting before the sockets are made anew."""
    if "batch" in settings:
        size = settings.get("ring_size", engine.ring_size)
        whole("batch", settings["batch"], 1, power_of_two("ring_size", size, LARGEST_RING))


def _check_traffic(name: str, traffic: Traffic | None) -> None:
    if KNOBS[name].home == "traffic" and traffic is None:
        raise ConfigurationError(
            f"{name} can't be set: it is the generator's, and there is none here. Give the "
            "Traffic, too."
        )


def _reconfigure(
    engine: Engine, before: Mapping[str, object], settings: Mapping[str, object]
) -> bool:
    """Set the knobs that need new sockets; return whether there were any."""
    changed = {
        name: value
        for name, value in settings.items()
        if KNOBS[name].home == "sockets" and _differs(value, before[name])
    }
    if changed:
        engine.reconfigure(**changed)
    return bool(changed)


def _differs(value: object, before: object) -> bool:
    """Tell whether a knob is to be set; the knob itself rejects a value that can't be compared."""
    try:
        return bool(value != before)
    except Exception:  # the value's own
        return True


def _turns(
    engine: Engine,
    before: Mapping[str, object],
    settings: Mapping[str, object],
    traffic: Traffic | None,
    resocketed: bool,
) -> Iterator[tuple[object, str, object]]:
    """Return the attributes to set. New sockets lower the batch, and may come with other NAPIs."""
    homes: dict[Home, object] = {
        "steering": engine.steering,
        "napi": engine.napi,
        "engine": engine,
        "traffic": traffic,
    }
    for kind, home in homes.items():
        for name in (name for name in settings if KNOBS[name].home == kind):
            value = settings[name]
            is_wanted = value is not None if kind in ("steering", "napi") else True
            if is_wanted and (resocketed or _differs(value, before[name])):
                yield home, name, value


def _put_back(
    engine: Engine, before: Mapping[str, object], traffic: Traffic | None
) -> XdplabError | None:
    """Set all knobs that differ back, as far as they can be; return the first refusal."""
    if engine.closed or (engine.has_ended and not engine.running):
        return None
    if traffic is not None and traffic.closed:
        before = {name: value for name, value in before.items() if KNOBS[name].home != "traffic"}
    refusals: list[XdplabError] = []
    resocketed = False
    try:
        now = current(engine, before, traffic)
        resocketed = _reconfigure(engine, now, before)
    except XdplabError as error:
        refusals.append(error)
        now = dict.fromkeys(before)
    for home, name, value in _turns(engine, now, before, traffic, resocketed):
        try:
            setattr(home, name, value)
        except XdplabError as error:
            refusals.append(error)
    return next(iter(refusals), None)


@contextmanager
def _one_step(engine: Engine, traffic: Traffic | None) -> Iterator[None]:
    of_traffic = nullcontext() if traffic is None else traffic.journal.one_step()
    with engine.journal.one_step(), of_traffic:
        yield


@contextmanager
def _no_step(engine: Engine, traffic: Traffic | None) -> Iterator[None]:
    of_traffic = nullcontext() if traffic is None else traffic.journal.no_step()
    with engine.journal.no_step(), of_traffic:
        yield
