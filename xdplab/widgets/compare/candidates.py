"""The candidates of a comparison: receive paths, each with the options of its engine."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xdplab.configuration.keywords import PLACES, groups
from xdplab.core.checks import choice, is_a, items, mapping, shown, text
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import PATHS, WAIT_STRATEGIES, Engine
from xdplab.experiments.runs import MOST_RUNS, plain_value, value_words, words

Path = str | tuple[str, Mapping[str, object]]
"""``"xsk"``, ``"xsk spin"`` or ``("xsk", {"wait": "spin", "batch": 256})``."""

_NOT_OPTIONS = ("self", "interface", "path", "forward_to", "stream", "allow_default_route")


@dataclass(frozen=True)
class Candidate:
    """A receive path to compare."""

    name: str
    options: Mapping[str, object]
    """Settings of its `Engine`, by their flat names."""


def usual_paths(simulated: bool = False) -> tuple[Path, ...]:
    """Return every path, `xsk` once spinning and once asleep between packets.

    Parameters
    ----------
    simulated
        Whether the lab is simulated: it has only one path, with several wait strategies.
    """
    if simulated:
        return tuple(f"xsk {wait}" for wait in ("spin", "adaptive", "poll", "epoll"))
    return ("xsk spin", "xsk poll", *(path for path in PATHS if path != "xsk"))


def candidates(paths: Iterable[Path], options: Mapping[str, object]) -> list[Candidate]:
    """Return the candidates that the paths name.

    Parameters
    ----------
    paths
        As for `Compare`.
    options
        Options of all engines.

    Raises
    ------
    ConfigurationError
        For an unknown path, wait strategy or option, for no path at all, or the same one twice.
    """
    wanted = "paths: paths=['xsk', 'packet']"
    found = [_candidate(path, options) for path in items("paths", paths, wanted, MOST_RUNS)]
    names = [candidate.name for candidate in found]
    if not names or len(set(names)) < len(names):
        raise ConfigurationError(f"paths={shown(paths)} must name at least one path, each once.")
    return found


def _candidate(given: Path, common: Mapping[str, object]) -> Candidate:
    own: Mapping[str, object]
    if is_a(given, tuple) and len(given) == 2:
        name, own = given[0], mapping("paths", given[1], "an engine's options")
    else:
        name, own = _parsed(text("paths", given))
    path = choice("paths: path", name, PATHS)
    for option, value in (*common.items(), *own.items()):
        plain_value(choice("option", option, engine_options()), value)
    said = value_words(own["wait"]) if set(own) == {"wait"} else words(own)
    # Options at their defaults are left out, so that only those that matter to the path remain.
    of_path = {} if path == "xsk" else {"path": path}
    return Candidate(f"{path} {said}".strip(), {**common, **own, **of_path})


def _parsed(given: str) -> tuple[str, Mapping[str, object]]:
    name, _, wait = given.partition(" ")
    return name, {"wait": choice("paths: wait", wait, WAIT_STRATEGIES)} if wait else {}


def engine_options() -> list[str]:
    """Return the settings of `Engine` that a path may have, by their flat names."""
    parameters = inspect.signature(Engine.__init__).parameters
    return [*(name for name in parameters if name not in (*_NOT_OPTIONS, *groups())), *PLACES]
