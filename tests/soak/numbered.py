"""Frames of random sizes whose every byte follows from their number, checked by the batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from xdplab.capture.area import Area
from xdplab.capture.batch import Batch
from xdplab.capture.loan import FrameLoan
from xdplab.native.records import FRAME

SMALLEST, LONGEST = 60, 1500
_HEADER = b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5"  # to all, of an experimental protocol
_NUMBER = len(_HEADER)
_BODY = _NUMBER + 8
_KINDS = 509
"""So many sizes and contents take turns: a prime, so that they meet all places in batches."""

END = (1 << 64) - 1
"""The number of a frame that follows the last one."""


class WrongFrameError(Exception):
    """A frame is not the one that should have come."""


class Numbered:
    """The frames of one stream: frame `n` has the same bytes whenever it is made.

    Parameters
    ----------
    seed
        Of sizes and contents.
    """

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self._lengths = random.integers(SMALLEST, LONGEST + 1, _KINDS)
        self._bytes = random.integers(0, 256, (_KINDS, LONGEST), np.uint8)
        self._bytes[:, :_NUMBER] = np.frombuffer(_HEADER, np.uint8)
        self._beyond = np.arange(LONGEST) >= self._lengths[:, None]

    def batch(self, begin: int, count: int) -> Batch:
        """Make `count` frames from number `begin` on."""
        return self._made(np.arange(begin, begin + count, dtype=np.uint64))

    def end(self) -> Batch:
        """Make the frame that follows the last one."""
        return self._made(np.array([END], np.uint64))

    def numbers(self, batch: Batch) -> Any:
        """Check every byte of each packet, and return their numbers.

        Raises
        ------
        WrongFrameError
            For a frame that differs from the one of its number.
        """
        rows, lengths = batch.frames[:, :LONGEST], batch.lengths
        width = rows.shape[1]
        numbers = np.ascontiguousarray(rows[:, _NUMBER:_BODY]).view(np.uint64)[:, 0]
        kinds = (numbers % _KINDS).astype(np.intp)
        same = rows == self._bytes[kinds, :width]
        same |= self._beyond[kinds, :width]
        same[:, _NUMBER:_BODY] = True
        right = same.all(axis=1) & (lengths == self._lengths[kinds])
        for wrong in np.flatnonzero(~right)[:1]:
            raise WrongFrameError(
                f"frame {numbers[wrong]} has {lengths[wrong]} bytes of "
                f"{self._lengths[kinds[wrong]]}, and differs at "
                f"{np.flatnonzero(~same[wrong])[:8]}: {bytes(batch[int(wrong)]).hex()}"
            )
        return numbers

    def _made(self, numbers: Any) -> Batch:
        kinds = (numbers % _KINDS).astype(np.intp)
        rows = self._bytes[kinds]
        rows[:, _NUMBER:_BODY] = numbers.view(np.uint8).reshape(-1, 8)
        frames = np.zeros(len(numbers), FRAME)
        frames["address"] = np.arange(len(numbers)) * LONGEST
        frames["length"] = self._lengths[kinds]
        return Batch(FrameLoan(Area(rows.reshape(-1), LONGEST), frames, None), 0, 0)


class Follower:
    """Follows a stream: each frame right, none twice, in order, until its end.

    Parameters
    ----------
    stream
        Whose frames.
    """

    def __init__(self, stream: Numbered) -> None:
        self._stream = stream
        self.found = 0
        """Frames that came, without those at the end."""
        self.ends = 0
        """Frames that came at the end."""
        self._next = 0

    def take(self, batch: Batch) -> Any:
        """Check a batch that came, and return its numbers.

        Raises
        ------
        WrongFrameError
            For a frame that differs from the one of its number, comes twice, or too late.
        """
        if not len(batch):
            return np.empty(0, np.uint64)
        numbers = self._stream.numbers(batch)
        ends = numbers == END
        before = numbers[~ends]
        if len(before):
            if self.ends or before[0] < self._next or np.any(before[1:] <= before[:-1]):
                raise WrongFrameError(f"{before} came after {self._next - 1}, {self.ends} ends")
            self._next = int(before[-1]) + 1
        self.found += len(before)
        self.ends += int(np.count_nonzero(ends))
        return numbers

    def again(self, batch: Batch, numbers: Any) -> None:
        """Check that a batch which was held on to has not changed.

        Raises
        ------
        WrongFrameError
            If it has.
        """
        if not np.array_equal(self._stream.numbers(batch), numbers):
            raise WrongFrameError(f"frames that were kept are no longer {numbers}")


def pieces(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut `count` frames into pieces: where each begins, and how many."""
    for begin in range(0, count, most):
        yield begin, min(most, count - begin)
