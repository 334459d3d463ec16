"""Generators, which send the frames of a `Traffic`: their interface, and the native one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from xdplab.core.errors import ClosedError
from xdplab.native import ffi, lib
from xdplab.native.handle import NativeHandle
from xdplab.refusals.errors import new_error, raise_error
from xdplab.refusals.remedies import NOWHERE, Place


class Generator(Protocol):
    """Sends numbered frames, from `start` until it is stopped or its count or time is reached.

    One thread at a time may call it, and after `close` only `closed` and `close`.
    """

    def start(self) -> None:
        """Send from now on; `sent` counts on from before.

        Raises
        ------
        KernelError
            When it can't.
        """

    def stop(self) -> None:
        """Stop, and wait until the last frame has left."""

    def set_interval(self, picoseconds: int) -> None:
        """Change the time between two frames; 0 for as fast as it can."""

    def set_size(self, size: int) -> None:
        """Change the bytes of a frame."""

    @property
    def sent(self) -> int:
        """Frames handed to the interface so far."""

    @property
    def sending_ns(self) -> int:
        """Nanoseconds that it spent sending, in all starts so far."""

    @property
    def too_long(self) -> int:
        """Of those, frames longer than the interface takes."""

    @property
    def running(self) -> bool:
        """Whether it is sending."""

    @property
    def fault(self) -> int:
        """The errno that ended it, or 0."""

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""

    def close(self) -> None:
        """Stop and release all resources. Does nothing in a forked child."""


class NativeGenerator:
    """A generator of the C engine, in this process. Call `open` first."""

    def __init__(self) -> None:
        give_back = lib.xdplab_generator_give_back
        self._handle = NativeHandle(give_back, "this generator was closed. Make a new one.")

    def open(
        self,
        run: Callable[[Callable[[], None]], None],
        opener: Callable[..., Any],
        *arguments: object,
        kept: object = None,
        place: Place = NOWHERE,
    ) -> None:
        """Open it, as `NativeHandle.open` does; the last of the arguments is for the error.

        `place` is the place of a refusal, for its remedy.

        Raises
        ------
        KernelError
            When the kernel refuses.
        """
        if not self._handle.open(run, opener, *arguments, kept=kept):
            raise_error(arguments[-1], place)

    def start(self) -> None:
        """Send from now on."""
        if not self._handle.is_ours:
            raise ClosedError("this generator belongs to another process. Make one in this one.")
        error = new_error()
        if self._call(lib.xdplab_generator_start, error):
            raise_error(error)

    def stop(self) -> None:
        """Stop; does nothing in a forked child, which has none of its threads."""
        if self._handle.is_ours:
            self._call(lib.xdplab_generator_stop)

    def bind(self, queue: int, socket: int, registered: bool, error: Any) -> int:
        """Bind one that replays a file; return 0 or a negative errno, and fill in the error."""
        return int(self._call(lib.xdplab_replay_bind, queue, socket, registered, error))

    def umem(self) -> Any:
        """Describe the UMEM of one that replays a file, ``struct xdplab_umem *``."""
        umem = ffi.new("struct xdplab_umem *")
        self._call(lib.xdplab_replay_umem, umem)
        return umem

    def feed(self, more: Any, *, complete: bool) -> int:
        """Give it more frames, ``struct xdplab_replay *``; return 0 or an errno."""
        return -int(self._call(lib.xdplab_generator_feed, more, complete))

    def set_interval(self, picoseconds: int) -> None:
        """Change the time between two frames."""
        self._call(lib.xdplab_generator_set_interval, picoseconds)

    def set_size(self, size: int) -> None:
        """Change the bytes of a frame."""
        self._call(lib.xdplab_generator_set_size, size)

    @property
    def sent(self) -> int:
        """Frames handed to the interface so far."""
        return int(self._call(lib.xdplab_generator_sent))

    @property
    def sending_ns(self) -> int:
        """Nanoseconds that it spent sending, in all starts so far."""
        return int(self._call(lib.xdplab_generator_sending_ns))

    @property
    def too_long(self) -> int:
        """Of those, frames longer than the interface takes."""
        return int(self._call(lib.xdplab_generator_too_long))

    @property
    def running(self) -> bool:
        """Whether it is sending."""
        return bool(self._call(lib.xdplab_generator_running))

    @property
    def fault(self) -> int:
        """The errno that ended it, or 0."""
        return int(self._call(lib.xdplab_generator_fault))

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle.closed

    def close(self) -> None:
        """Stop and release all resources."""
        self._handle.close()

    def _call(self, function: Any, *arguments: object) -> Any:
        with self._handle.lock:
            return function(self._handle.pointer, *arguments)
