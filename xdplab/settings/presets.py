"""Presets: sets of values for an engine's knobs, one for each common goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from xdplab.core.calls import public_function
from xdplab.core.checks import choice
from xdplab.core.named import Named
from xdplab.core.table import Table, Tabled
from xdplab.core.text import setting as in_words
from xdplab.ledger.subjects import check_engine
from xdplab.settings import settings

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine


@dataclass(frozen=True)
class Preset:
    """A set of values for knobs, and the reason for them."""

    knobs: Mapping[str, object]
    """Values by the names of `xdplab.KNOBS`: a batch, or the ring's size where that is smaller;
    settings of NAPI, for devices on which they can be set."""
    why: str


class _Presets(Tabled, Named[Preset]):
    """Presets by name."""

    def _table(self) -> Table:
        rows = [
            (name, ", ".join(f"{knob} {in_words(value)}" for knob, value in preset.knobs.items()))
            for name, preset in self.items()
        ]
        whys = [f"{name}: {preset.why}" for name, preset in self.items()]
        return Table("", rows, ("preset", "knobs"), whys)

    def _brief(self) -> str:
        return f"<Presets: {', '.join(self)}>"


_AT_ONCE = {"threaded": False, "defer_hard_irqs": 0, "gro_flush_timeout": 0}

PRESETS = _Presets(
    "preset",
    {
        "throughput": Preset(
            knobs={
                "batch": 256,
                "wait": "adaptive",
                "spin_microseconds": 200,
                "burst": 4096,
                **_AT_ONCE,
            },
            why=(
                "Under load the worker never sleeps, so no ring overflows while it wakes up, and "
                "large batches spread the cost of a turn over many packets. Where that would "
                "take more than 200 µs of spinning a packet, it leaves its core to others."
            ),
        ),
        "latency": Preset(
            knobs={"batch": 16, "wait": "spin", "burst": 64, **_AT_ONCE},
            why=(
                "To wake a sleeping thread takes longer than all else, so the worker spins, which "
                "takes its whole core; and small batches are acted on at once."
            ),
        ),
        "low CPU": Preset(
            knobs={
                "batch": 64,
                "wait": "uring-multishot",
                "burst": 1024,
                "threaded": False,
                "defer_hard_irqs": 100,
                "gro_flush_timeout": 50_000,
            },
            why=(
                "The worker sleeps until packets come, and the driver hands them over in batches "
                "50 µs apart, so that one wake-up serves many. Each packet waits that long at most."
            ),
        ),
    },
)
"""Presets by name."""

_WITHOUT_IO_URING = MappingProxyType({"uring-multishot": "poll"})
"""The nearest strategies without io_uring, which many containers forbid."""


@public_function
def apply_preset(engine: Engine, preset: str) -> None:
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
        When the engine refuses a knob: all knobs have their old values then.
    """
    settings.apply(engine, setting(engine, preset))


@public_function
def setting(engine: Engine, preset: str) -> dict[str, object]:
    """Return a preset as a setting of this engine, without the knobs that its device lacks.

    Where io_uring is forbidden, it has the nearest wait strategy without it.

    Raises
    ------
    ConfigurationError
        When there is no such preset.
    """
    check_engine(engine)
    chosen = PRESETS[choice("preset", preset, PRESETS)]
    knobs = dict(chosen.knobs)
    if (wait := knobs.get("wait")) in engine.wait_refused:
        knobs["wait"] = _WITHOUT_IO_URING[str(wait)]
    if isinstance(batch := knobs.get("batch"), int):
        knobs["batch"] = min(batch, engine.ring_size)
    now = settings.current(engine, knobs)
    return {name: value for name, value in knobs.items() if now[name] is not None}
