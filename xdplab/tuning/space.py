"""The space of a search: the knobs, their values, and which knobs need which others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from xdplab.core.checks import is_a, items, mapping
from xdplab.core.errors import ConfigurationError
from xdplab.experiments.runs import values_of
from xdplab.knobs.row import Knob, Needs
from xdplab.knobs.table import KNOBS
from xdplab.settings import settings

if TYPE_CHECKING:
    from optuna.trial import Trial

    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

Setting = dict[str, object]

_SEARCHED = [name for name, knob in KNOBS.items() if knob.search is not None]
_MOST_COUNTED = 10_000  # combinations; no search gets through more


class Space:
    """The settings from which a search chooses.

    Parameters
    ----------
    engine, traffic
        The engine and generator of the search.
    knobs
        Names, to try their usual values; or names and values to try. None: all knobs that can be
        changed here. The present value of each is always included.

    Raises
    ------
    ConfigurationError
        For an unknown knob, for one without values, and if there is nothing to choose.
    """

    def __init__(
        self,
        engine: Engine,
        traffic: Traffic | None,
        knobs: Iterable[str] | Mapping[str, Iterable[object]] | None = None,
    ) -> None:
        wanted = _wanted(engine, traffic, knobs)
        settings.check(wanted)
        self.around = settings.current(engine, {"ring_size", *(need.knob for need in _needed())})
        """The present values that decide which knobs have an effect."""
        self.begin = settings.current(engine, wanted, traffic)
        """The present setting of its knobs."""
        if self.begin.get("cpu", 0) is None:
            self.begin["cpu"] = engine.cpu if len(engine.cpus) == 1 else list(engine.cpus)
        self.choices: dict[str, list[Any]] = {
            name: _in_order(values, self.begin[name]) for name, values in wanted.items()
        }
        """The values of each knob."""
        if all(len(values) == 1 for values in self.choices.values()):
            raise ConfigurationError(
                f"there is nothing to choose among {dict(self.choices)}: name other knobs, or "
                "values for them, knobs={'batch': [16, 64, 256]}."
            )

    @property
    def names(self) -> list[str]:
        """Its knobs."""
        return list(self.choices)

    def draw(self, trial: Trial) -> Setting:
        """Let a sampler choose a setting. Knobs without effect keep their present values."""
        setting: Setting = {}
        for name, values in self.choices.items():
            if not self._matters(name, setting):
                setting[name] = self.begin[name]
            elif _is_ordered(values):
                setting[name] = values[trial.suggest_int(name, 0, len(values) - 1)]
            else:
                setting[name] = values[trial.suggest_categorical(name, range(len(values)))]
        return self._possible(setting)

    def parameters(self, wish: Mapping[str, object]) -> dict[str, int] | None:
        """Return the sampler's parameters for a setting; None if that is not in the space.

        Parameters
        ----------
        wish
            Values; other knobs keep their present values.
        """
        setting = {name: wish.get(name, self.begin[name]) for name in self.names}
        relevant = {n: v for n, v in setting.items() if self._matters(n, setting)}
        if any(value not in self.choices[name] for name, value in relevant.items()):
            return None
        return {name: self.choices[name].index(value) for name, value in relevant.items()}

    def size(self) -> int:
        """Count the different settings, up to 10,000."""
        if prod(map(len, self.choices.values())) > _MOST_COUNTED:
            return _MOST_COUNTED
        settings = (dict(zip(self.names, v, strict=True)) for v in product(*self.choices.values()))
        return len({key(self._normal(setting)) for setting in settings})

    def _normal(self, setting: Setting) -> Setting:
        return self._possible(
            {n: v if self._matters(n, setting) else self.begin[n] for n, v in setting.items()}
        )

    def _matters(self, name: str, setting: Mapping[str, object]) -> bool:
        return _matters(name, {**self.around, **setting})

    def _possible(self, setting: Setting) -> Setting:
        """Limit the batch to the ring's size."""
        batch, ring = setting.get("batch"), {**self.around, **setting}["ring_size"]
        if isinstance(batch, int) and isinstance(ring, int):
            setting["batch"] = min(batch, ring)
        return setting


def relevant(setting: Mapping[str, object]) -> Setting:
    """Leave out knobs without effect in this setting, such as the spin time of a sleeper."""
    return {name: value for name, value in setting.items() if _matters(name, setting)}


def _matters(name: str, setting: Mapping[str, object]) -> bool:
    needs = _needs(KNOBS[name])
    return needs is None or needs.knob not in setting or needs.met(setting[needs.knob])


def _needs(knob: Knob[Any]) -> Needs | None:
    return (knob.search and knob.search.needs) or knob.needs


def _needed() -> Iterable[Needs]:
    return filter(None, map(_needs, KNOBS.values()))


def key(setting: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return a key that is equal for equal settings."""
    return tuple((name, repr(value)) for name, value in setting.items())


def _wanted(
    engine: Engine,
    traffic: Traffic | None,
    knobs: Iterable[str] | Mapping[str, Iterable[object]] | None,
) -> dict[str, list[object]]:
    if knobs is None:
        usual = {name: list(_usual(KNOBS[name], engine, traffic)) for name in _SEARCHED}
        return {name: values for name, values in usual.items() if len(values) > 1}
    told = mapping("knobs", knobs, "values by names") if is_a(knobs, Mapping) else {}
    names = list(told) or items("knobs", knobs, "names of knobs")
    settings.check(names, "knobs")
    names.sort(key=list(KNOBS).index)  # knobs that others need come first
    wanted = {}
    for name in names:
        if name not in told and name not in _SEARCHED:
            raise ConfigurationError(
                f"what to try {name} at must be said: knobs={{{name!r}: [...], ...}}. There are "
                f"usual values for: {', '.join(_SEARCHED)}."
            )
        values = told[name] if name in told else _usual(KNOBS[name], engine, traffic)
        wanted[name] = values_of(name, values)
    return wanted


def _usual(knob: Knob[Any], engine: Engine, traffic: Traffic | None) -> Iterable[object]:
    """Return a knob's usual values; none if it can't be changed or has no effect."""
    if knob.search is None or not (knob.exists(engine) and knob.acts(engine)):
        return ()
    if knob.home == "napi" and settings.current(engine, [knob.name])[knob.name] is None:
        return ()
    values = knob.search.values
    return values(engine, traffic) if callable(values) else values


def _is_ordered(values: Iterable[object]) -> bool:
    """Return whether a value between two others is likely to act like them."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _in_order(values: list[object], present: object) -> list[Any]:
    different = list(values) if present in values else [*values, present]
    return sorted(different, key=float) if _is_ordered(different) else different
