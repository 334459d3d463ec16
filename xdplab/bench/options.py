"""The options of benchmarks, and the check of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from xdplab.core.checks import choice, items, shown
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import WAIT_STRATEGIES
from xdplab.net.stream import checked_rate


class Option(NamedTuple):
    """A parameter of a benchmark, which the command line offers.

    The command line reads values of the type of its default, several if that is a tuple.
    """

    default: int | float | str | tuple[float, ...] | tuple[str, ...]
    help: str
    check: Callable[[str, Any], Any] = lambda _name, value: value
    """Takes its name and a value; returns the value to use, or raises `ConfigurationError`."""


def lengths(rounds: int, seconds: float) -> dict[str, Option]:
    """Return the options that every benchmark has, with these defaults. `Rounds` checks them."""
    return {"rounds": Option(rounds, "runs of each"), "seconds": Option(seconds, "of each run")}


def several(
    default: tuple[float, ...] | tuple[str, ...],
    told: str,
    one: str,
    check: Callable[[str, Any], Any],
) -> Option:
    """Return an option with at least one value; each counts once.

    Parameters
    ----------
    default, told
        Default and help.
    one
        The noun for a value.
    check
        Checks a value.
    """

    def checked(name: str, values: object) -> list[Any]:
        given = items(name, values, f"values, each a {one}")
        if not given:
            raise ConfigurationError(f"{name}={shown(values)} must be at least one {one}.")
        return list(dict.fromkeys(check(name, value) for value in given))

    return Option(default, told, checked)


def wait(default: str) -> Option:
    """Return the option for the worker's wait strategy."""
    return Option(default, "wait strategy", _strategy)


def waits(told: str) -> Option:
    """Return the option for several wait strategies."""
    usual = ("spin", "poll", "uring-multishot", "adaptive")
    return several(usual, told, "wait strategy", _strategy)


def load(default: float) -> Option:
    """Return the option for the lower of two loads."""
    return Option(default, "packets a second of the load below saturation", _lower_load)


def _strategy(name: str, value: object) -> str:
    return choice(name, value, WAIT_STRATEGIES)


def _lower_load(name: str, value: object) -> float:
    rate = checked_rate(value, name)
    if rate == "max":
        raise ConfigurationError(f"{name}={value!r} must be a number: the other load is 'max'.")
    return rate
