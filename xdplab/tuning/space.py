"""Where a search looks: the knobs, what each may be, and which matters beside which."""

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
_MOST_COUNTED = 10_000  # combinations; where there are more, no search comes to their end


class Space:
    """The settings among which a search chooses.

    Parameters
    ----------
    engine, traffic
        What is searched for.
    knobs
        Names, with what they are usually tried at; or names and values to try. None is all that
        can be turned here. The present value of each is always among them.

    Raises
    ------
    ConfigurationError
        For a name that is no knob, for one without values, and where nothing is left to choose.
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
        """What decides which knobs matter, as it is now."""
        self.begin = settings.current(engine, wanted, traffic)
        """The present setting of its knobs."""
        if self.begin.get("cpu", 0) is None:
            self.begin["cpu"] = engine.cpu if len(engine.cpus) == 1 else list(engine.cpus)
        self.choices: dict[str, list[Any]] = {
            name: _in_order(values, self.begin[name]) for name, values in wanted.items()
        }
        """What each may be."""
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
        """Let a sampler choose. What does not matter stays as it is now."""
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
        """Return what `draw` must be told for a setting; None where that is not in the space.

        Parameters
        ----------
        wish
            Values; what is not named stays as it is now.
        """
        setting = {name: wish.get(name, self.begin[name]) for name in self.names}
        relevant = {n: v for n, v in setting.items() if self._matters(n, setting)}
        if any(value not in self.choices[name] for name, value in relevant.items()):
            return None
        return {name: self.choices[name].index(value) for name, value in relevant.items()}

    def size(self) -> int:
        """Count the settings that differ; a space of many counts as 10,000."""
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
        """Bring the batch down to the ring's size."""
        batch, ring = setting.get("batch"), {**self.around, **setting}["ring_size"]
        if isinstance(batch, int) and isinstance(ring, int):
            setting["batch"] = min(batch, ring)
        return setting


def relevant(setting: Mapping[str, object]) -> Setting:
    """Leave out what does nothing beside the rest, as the spin time of a worker that sleeps."""
    return {name: value for name, value in setting.items() if _matters(name, setting)}


def _matters(name: str, setting: Mapping[str, object]) -> bool:
    needs = _needs(KNOBS[name])
    return needs is None or needs.knob not in setting or needs.met(setting[needs.knob])


def _needs(knob: Knob[Any]) -> Needs | None:
    return (knob.search and knob.search.needs) or knob.needs


def _needed() -> Iterable[Needs]:
    return filter(None, map(_needs, KNOBS.values()))


def key(setting: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return what is the same of two settings that are the same."""
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
    names.sort(key=list(KNOBS).index)  # those first that others need
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
    """Return what a knob is usually tried at; nothing where it can't be turned or does nothing."""
    if knob.search is None or not (knob.exists(engine) and knob.acts(engine)):
        return ()
    if knob.home == "napi" and settings.current(engine, [knob.name])[knob.name] is None:
        return ()
    values = knob.search.values
    return values(engine, traffic) if callable(values) else values


def _is_ordered(values: Iterable[object]) -> bool:
    """Say whether a value between two others is likely to act like them."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _in_order(values: list[object], present: object) -> list[Any]:
    different = list(values) if present in values else [*values, present]
    return sorted(different, key=float) if _is_ordered(different) else different
