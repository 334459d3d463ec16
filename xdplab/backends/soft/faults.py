"""Faults of a simulated wire, made on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.core.checks import nanoseconds, whole
from xdplab.core.errors import ConfigurationError

if TYPE_CHECKING:
    from xdplab.backends.soft.wire import Wire

_LONGEST_JITTER = 1.0  # seconds
_RAREST = 1 << 32
NAMES = ("jitter_ns", "ring_full_every", "no_fill_every", "bad_descriptor_every")
"""Fields of ``struct xdplab_wire_faults``."""


class Faults:
    """Faults of one end of a simulated wire: plain attributes, which take effect at once.

    All are 0 to begin with: nothing goes wrong by itself. A packet lost to a fault counts where the
    kernel counts such a loss, so the ledger has it, and its explanation names the fault.

    Parameters
    ----------
    wire
        The wire.
    end
        Number of its end: faults affect packets that arrive at it or are sent from it.
    """

    __slots__ = ("_end", "_values", "_wire")

    def __init__(self, wire: Wire, end: int) -> None:
        self._wire, self._end = wire, end
        self._values = dict.fromkeys(NAMES, 0)

    @property
    def jitter(self) -> float:
        """Most seconds of extra delay of a frame, 0 to 1; frames keep their order."""
        return self._values["jitter_ns"] / 1e9

    @jitter.setter
    def jitter(self, value: float) -> None:
        self._set("jitter_ns", nanoseconds("jitter", value, 0, _LONGEST_JITTER))

    @property
    def ring_full_every(self) -> int:
        """One frame in this many finds the RX ring full, and is dropped; 0 for none."""
        return self._values["ring_full_every"]

    @ring_full_every.setter
    def ring_full_every(self, value: int) -> None:
        self._set("ring_full_every", whole("ring_full_every", value, 0, _RAREST))

    @property
    def no_fill_every(self) -> int:
        """One frame in this many finds no descriptor in the fill ring, and is dropped."""
        return self._values["no_fill_every"]

    @no_fill_every.setter
    def no_fill_every(self, value: int) -> None:
        self._set("no_fill_every", whole("no_fill_every", value, 0, _RAREST))

    @property
    def bad_descriptor_every(self) -> int:
        """One descriptor in this many of a TX ring counts as invalid, and is not sent."""
        return self._values["bad_descriptor_every"]

    @bad_descriptor_every.setter
    def bad_descriptor_every(self, value: int) -> None:
        self._set("bad_descriptor_every", whole("bad_descriptor_every", value, 0, _RAREST))

    def every(self) -> dict[str, int]:
        """Return the faults that affect one frame in so many, with that number, unless it is 0."""
        return {name: every for name in NAMES[1:] if (every := self._values[name])}

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.__slots__ and not hasattr(type(self), name):
            raise ConfigurationError(
                f"there is no fault {name!r}. Faults are jitter, {', '.join(NAMES[1:])}."
            )
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        told = [f"jitter={self.jitter:g}"]
        told += [f"{name}={self._values[name]}" for name in NAMES[1:]]
        return f"<Faults: {', '.join(told)}>"

    def _set(self, name: str, value: int) -> None:
        values = {**self._values, name: value}
        self._wire.set_faults(self._end, values)
        self._values = values
