"""Generators that replay a capture file: native ones, which are fed if they don't hold it."""

from __future__ import annotations

import errno
import os
import weakref
from threading import Event
from typing import Any, NamedTuple

import numpy as np

from xdplab.core.errors import ClosedError
from xdplab.core.threads import Thread
from xdplab.native import ffi
from xdplab.send.generator import NativeGenerator
from xdplab.send.replay import Piece, Replay

_PAUSE_SECONDS = 0.001
_NOTHING = Piece(b"", np.array([], np.uint32), np.array([], np.uint64))


class Replayed(NamedTuple):
    """What a generator of `Traffic` is asked to replay."""

    replay: Replay
    repeat: int
    """How often it is sent in one start; 0 repeats until stopped."""

    def native(self) -> tuple[Any, object]:
        """Build ``struct xdplab_replay *``, and the objects that must live as long as it."""
        return _native(self.replay.held or _NOTHING, self.repeat)

    def generator(self) -> NativeGenerator:
        """Make the generator, which is to be opened."""
        return NativeGenerator() if self.replay.held else FedGenerator(self)


class FedGenerator(NativeGenerator):
    """A generator to which a thread gives the frames of a file while it sends.

    Parameters
    ----------
    replayed
        The file.
    """

    def __init__(self, replayed: Replayed) -> None:
        super().__init__()
        self._replayed = replayed
        self._ended = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Send from now on, from the beginning of the file."""
        self._end_thread()
        super().start()
        self._ended = Event()
        # The thread does not keep it alive.
        arguments = weakref.ref(self), self._replayed, self._ended
        self._thread = Thread(_feed, *arguments, name="xdplab-feed")
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until the last frame has left."""
        self._ended.set()
        super().stop()
        self._end_thread()

    def close(self) -> None:
        """Stop and release all resources."""
        self._end_thread()
        super().close()

    def _end_thread(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None


def _feed(generator: weakref.ref[FedGenerator], replayed: Replayed, ended: Event) -> None:
    for piece in replayed.replay.pieces(replayed.repeat):
        code = _give(generator, piece, ended)
        if code == errno.ECANCELED:
            return
        if code:
            replayed.replay.give_up(os.strerror(code))
            break
    _give(generator, _NOTHING, ended, complete=True)


def _give(
    generator: weakref.ref[FedGenerator], piece: Piece, ended: Event, *, complete: bool = False
) -> int:
    """Give it a piece once there is room; return 0, or the errno for which it takes none."""
    native, held = _native(piece)
    while not ended.is_set() and (taker := generator()) is not None:
        try:
            code = taker.feed(native, complete=complete)
        except ClosedError:
            break
        del taker
        if code != errno.EAGAIN:
            return code
        ended.wait(_PAUSE_SECONDS)
    del held
    return errno.ECANCELED


def _native(piece: Piece, repeat: int = 1) -> tuple[Any, object]:
    held = [
        ffi.from_buffer("uint8_t[]", piece.frames),
        ffi.from_buffer("uint32_t[]", piece.lengths),
        ffi.from_buffer("uint64_t[]", piece.times_ns),
    ]
    native = ffi.new(
        "struct xdplab_replay *",
        {
            "frames": held[0],
            "lengths": held[1],
            "times_ns": held[2],
            "count": len(piece.lengths),
            "repeat": repeat,
        },
    )
    return native, [*held, native]
