"""Remarks on frames of a capture file that are not sent, or not as they were captured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_MOST_NAMED = 5  # frames of a remark


@dataclass
class _Frames:
    """Frames with the same remark: how many, and the numbers of the first."""

    count: int = 0
    first: list[int] = field(default_factory=list)

    def add(self, number: int) -> None:
        self.count += 1
        if self.count <= _MOST_NAMED:
            self.first.append(number)

    def __str__(self) -> str:
        named = ", ".join(f"{number:,}" for number in self.first)
        more = ", ..." if self.count > _MOST_NAMED else ""
        return f"(frame{'' if self.count == 1 else 's'} {named}{more})"


class Remarks:
    """Counts the frames of a file, and notes those that are not sent as they are.

    Its size does not grow with that of the file.
    """

    def __init__(self) -> None:
        self.seen = 0
        """Frames so far; the numbers of frames count from 1."""
        self.left_out = 0
        self._out: dict[str, _Frames] = {}
        self._otherwise: dict[str, _Frames] = {}
        self._end = ""

    def leave_out(self, why: str) -> None:
        """Note that the last frame seen is left out."""
        self.left_out += 1
        self._out.setdefault(why, _Frames()).add(self.seen)

    def note(self, how: str) -> None:
        """Note in which way the last frame seen is not sent as captured."""
        self._otherwise.setdefault(how, _Frames()).add(self.seen)

    def end(self, why: str) -> None:
        """Note that frames behind those seen can't be read."""
        self.left_out += 1
        self._end = f"Frame {self.seen + 1:,} and what follows it was left out: {why}."

    @property
    def ended(self) -> bool:
        """Whether there are frames behind those seen that can't be read."""
        return bool(self._end)

    def __iter__(self) -> Iterator[str]:
        for why, frames in list(self._out.items()):
            yield f"{self._of(frames)} left out, {why} {frames}."
        if self._end:
            yield self._end
        for how, frames in list(self._otherwise.items()):
            yield f"{self._of(frames)} {how} {frames}."

    def _of(self, frames: _Frames) -> str:
        of = f"{frames.count:,} of {self.seen:,} frame{'' if self.seen == 1 else 's'}"
        return f"{of} {'was' if frames.count == 1 else 'were'}"
