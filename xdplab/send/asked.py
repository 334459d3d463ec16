"""How many frames a generator was asked for so far."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Asked:
    """Adds up the frames that were asked for, over starts and changes of rate.

    The generator's clock stands while it does not send. At a rate such as "max", which names no
    number, the frames that it sends are those that it is asked for.

    Parameters
    ----------
    count, seconds
        The limits of one start; None: no limit.
    """

    count: int | None = None
    seconds: float | None = None
    _before: float = field(default=0.0, init=False)  # of the starts before this one
    _here: float = field(default=0.0, init=False)  # of this start, up to the last change of rate
    _began: float = field(default=0.0, init=False)
    _turned: float = field(default=0.0, init=False)
    _sent: int = field(default=0, init=False)  # at the last change of rate

    def begin(self, rate: object, clock: float, sent: int) -> None:
        """Note a start: the rate until then, seconds spent sending, and frames sent."""
        self._before = self.total(rate, clock, sent)
        self._here, self._began, self._turned, self._sent = 0.0, clock, clock, sent

    def turn(self, rate: object, clock: float, sent: int) -> None:
        """Note a change of rate, from this one."""
        self._here = self._of_start(rate, clock, sent)
        self._turned, self._sent = clock, sent

    def total(self, rate: object, clock: float, sent: int) -> float:
        """Return the frames asked for so far, at the present rate."""
        here = self._of_start(rate, clock, sent)
        return self._before + (here if self.count is None else min(here, self.count))

    def _of_start(self, rate: object, clock: float, sent: int) -> float:
        if not isinstance(rate, int | float):
            return self._here + sent - self._sent
        end = clock if self.seconds is None else min(clock, self._began + self.seconds)
        return self._here + rate * max(end - self._turned, 0.0)
