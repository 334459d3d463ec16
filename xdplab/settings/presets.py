"""Presets: knobs that belong together, for what one may want of an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from xdplab.core.checks import choice
from xdplab.ledger.subjects import check_engine
from xdplab.settings import settings

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine


@dataclass(frozen=True)
class Preset:
    """A set of knobs, and why they are as they are."""

    batch: int
    """The batch size, or the ring's where that is smaller."""
    knobs: Mapping[str, object]
    """Values of the engine's other attributes."""
    napi: Mapping[str, int | bool]
    """Values of its `napi`'s attributes, for devices on which they can be set."""
    why: str


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "throughput": Preset(
            batch=256,
            knobs={"wait": "adaptive", "spin_microseconds": 200, "burst": 4096},
            napi={"threaded": False, "defer_hard_irqs": 0, "gro_flush_timeout": 0},
            why=(
                "Under load the worker never sleeps, so no ring overflows while it wakes up, and "
                "large batches spread the cost of a turn over many packets. Without packets for "
                "200 us, it leaves its core to others."
            ),
        ),
        "latency": Preset(
            batch=16,
            knobs={"wait": "spin", "burst": 64},
            napi={"threaded": False, "defer_hard_irqs": 0, "gro_flush_timeout": 0},
            why=(
                "To wake a sleeping thread takes longer than all else, so the worker spins, which "
                "takes its whole core; and small batches are acted on at once."
            ),
        ),
        "low CPU": Preset(
            batch=64,
            knobs={"wait": "uring-multishot", "burst": 1024},
            napi={"threaded": False, "defer_hard_irqs": 100, "gro_flush_timeout": 50_000},
            why=(
                "The worker sleeps until packets come, and the driver hands them over in batches "
                "50 us apart, so that one wake-up serves many. Each packet waits that long at most."
            ),
        ),
    }
)
"""Presets by name."""

_WITHOUT_IO_URING = MappingProxyType({"adaptive": "spin", "uring-multishot": "poll"})
"""What does nearly the same where io_uring is forbidden, as in many containers."""


def apply(engine: Engine, preset: str) -> None:
    """Set the knobs of a preset: one step for `undo`.

    Parameters
    ----------
    engine
        Running or stopped.
    preset
        A name in `PRESETS`.

    Raises
    ------
    ConfigurationError
        When there is no such preset.
    XdplabError
        When the engine refuses a knob: all are as they were.
    """
    settings.apply(engine, setting(engine, preset))


def setting(engine: Engine, preset: str) -> dict[str, object]:
    """Return a preset as a setting of this engine: without what its device does not have.

    Where io_uring is forbidden, with the wait strategy that comes nearest.

    Raises
    ------
    ConfigurationError
        When there is no such preset.
    """
    check_engine(engine)
    chosen = PRESETS[choice("preset", preset, PRESETS)]
    of_napi = settings.current(engine, chosen.napi)
    knobs = dict(chosen.knobs)
    if (wait := knobs.get("wait")) in engine.wait_refused:
        knobs["wait"] = _WITHOUT_IO_URING[str(wait)]
    return {
        "batch": min(chosen.batch, engine.ring_size),
        **knobs,
        **{name: value for name, value in chosen.napi.items() if of_napi[name] is not None},
    }
