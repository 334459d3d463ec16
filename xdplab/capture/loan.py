"""Frames that a capture lends to its user, until they go back to the fill ring."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.capture.area import Area, Frames
from xdplab.core.errors import ClosedError

Indices = npt.NDArray[np.intp]
GiveBack = Callable[[Area, Frames], None]


class FrameLoan:
    """Frames that were received together, and which of them are still lent.

    Bytes are looked at through a window. While a view of it lives, in whatever variable, its frames
    do not go back: so no view ever shows another packet's bytes.

    Parameters
    ----------
    area, frames
        Where they lie.
    give_back
        Takes back frames of the area, on any thread; None for frames that nobody lent.
    """

    def __init__(self, area: Area, frames: Frames, give_back: GiveBack | None) -> None:
        self.area, self.frames = area, frames
        self.kept = False
        """Whether they stay lent when the next batch is received."""
        self.metadata: npt.NDArray[Any] | None = None
        """What the device knew of frames that are copies: it is not in front of those."""
        self.give_back = give_back
        self._ended = False
        self._gone: npt.NDArray[np.bool_] | None = None  # of a part; None: none of them
        self._window: Any = None
        self._windows: list[weakref.ref[Any]] = []

    def check(self, index: Indices | None = None) -> None:
        """Raise `ClosedError` unless all these frames are still lent; without an index, all."""
        if self.area.is_of_parent:
            raise ClosedError(
                "these packets are in memory of the process that forked this one. Hand on a copy, "
                "made there: batch.copy()."
            )
        if not self._ended and self._gone is None:
            return
        count = len(self.frames) if index is None else len(index)
        gone = count if self._ended else self._count_gone(index)
        if not gone:
            return
        which = "this batch's" if gone == count else f"{gone:,} of this batch's {count:,}"
        raise ClosedError(
            f"{which} frames are no longer its own: they were sent, released or kept apart, or "
            "went back to the fill ring when the next batch was received. batch.keep() holds on to "
            "frames, and batch.copy() copies them."
        )

    def window(self) -> Any:
        """Return the buffer for views of the frames."""
        if self._window is None:
            self._window = self.area.window()
            if self.give_back is not None:
                self._windows.append(weakref.ref(self._window))
        return self._window

    def take(self, index: Indices | None = None) -> Frames:
        """End the loan of these frames for another use of them, and return them."""
        self.check(index)
        if index is None:
            self._ended = True
            return self.frames
        if self._gone is None:
            self._gone = np.zeros(len(self.frames), np.bool_)
        self._gone[index] = True
        return self.frames[index]

    def apart(self, index: Indices) -> FrameLoan:
        """Make a loan of its own of some of the frames."""
        loan = FrameLoan(self.area, self.take(index), self.give_back)
        loan._windows = list(self._windows)
        loan.metadata = None if self.metadata is None else self.metadata[index]
        return loan

    def release(self, index: Indices | None = None) -> None:
        """Give back those of these frames that are still lent, once no view of them is left."""
        if self._ended:
            return
        if index is None and self._gone is None:
            self._return(self.frames)
            self._ended = True
            return
        left = np.arange(len(self.frames)) if index is None else index
        if self._gone is not None:
            left = left[~self._gone[left]]
        self._return(self.take(left))

    def _return(self, frames: Frames) -> None:
        self._window = None
        if self.give_back is None or not len(frames):
            return
        if self._windows:
            _when_unseen(self._windows, partial(self.give_back, self.area, frames))
        else:
            self.give_back(self.area, frames)

    def _count_gone(self, index: Indices | None) -> int:
        gone = self._gone
        if gone is None:
            return 0
        return int(np.count_nonzero(gone if index is None else gone[index]))

    def __del__(self) -> None:
        self.release()


# References by their own ids: buffers have no hash.
_watched: dict[int, weakref.ref[Any]] = {}


def _when_unseen(windows: Sequence[weakref.ref[Any]], then: Callable[[], None]) -> None:
    """Do something when none of some windows, and so no view of one, is left."""
    for each in windows:
        window = each()
        if window is None:
            continue

        def unseen(reference: weakref.ref[Any]) -> None:
            del _watched[id(reference)]
            _when_unseen(windows, then)

        watch = weakref.ref(window, unseen)
        _watched[id(watch)] = watch
        return
    then()
