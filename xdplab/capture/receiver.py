"""Receiving from one queue, and sending on it: every call runs the worker's turns."""

from __future__ import annotations

import errno
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from xdplab.capture.area import Area, Frames
from xdplab.capture.batch import Batch
from xdplab.capture.gate import Gate
from xdplab.capture.in_asyncio import Waiter, batches
from xdplab.capture.loan import FrameLoan
from xdplab.capture.outgoing import Outgoing
from xdplab.capture.thread import BatchThread
from xdplab.core.checks import callable_of, is_a, seconds
from xdplab.core.errors import ClosedError, ConfigurationError, KernelError
from xdplab.core.text import counted
from xdplab.engine.native_engine import NativeEngine
from xdplab.native import ffi, lib
from xdplab.native.records import FRAME
from xdplab.net.packet_filter import PacketFilter
from xdplab.refusals.errors import new_error

_LONGEST = 10.0**9
_SLICE_NS = 100_000_000
"""Longest time in one native call, so that Ctrl-C and `close` don't wait for packets."""

_INSTRUCTION = 8  # bytes, of classic BPF


class Receiver:
    """One queue of a `Capture`: the thread that calls is its worker.

    Parameters
    ----------
    native, worker
        The engine, and the number of the worker.
    failed
        Makes the error of a worker that ended by itself, from its number and the errno.
    clock_offset_ns
        From CLOCK_MONOTONIC to the time since the epoch.
    """

    def __init__(
        self,
        native: NativeEngine,
        worker: int,
        failed: Callable[[int, int], KernelError],
        clock_offset_ns: int,
    ) -> None:
        self._native, self._worker = native, worker
        self._failed, self._offset_ns = failed, clock_offset_ns
        is_held = partial(lib.xdplab_engine_is_held, native.pointer, worker)
        self._gate = Gate(lambda: bool(is_held()))
        self.lock = self._gate.lock
        """Held during a call."""
        self.between_calls = self._gate.between_calls
        """To be used by ``with``: lets nobody call meanwhile."""
        # At exit too, before the engine is closed: a daemon thread may be in a call then.
        weakref.finalize(self, self._gate.close)
        self._call = ffi.new("struct xdplab_call *")
        self._place = np.empty(0, FRAME)
        self._returned: deque[tuple[Area, Frames]] = deque()
        self._loan: FrameLoan | None = None
        self._filter: PacketFilter | None = None
        self._error, self._waiter = new_error(), Waiter()
        self.open()

    def open(self) -> None:
        """Use the engine's present sockets and UMEM."""
        self.queue: int = self._native.configuration.worker_queues[self._worker]
        """Its receive queue."""
        self._pointer = self._native.pointer
        asked = self._native.configuration
        self.area = Area.of_engine(
            self._pointer, asked.frame_size, metadata=asked.sampling.metadata
        )
        self._longest = asked.frame_size - lib.XDPLAB_TRANSMIT_METADATA * asked.asks_device
        self._returned.clear()
        self._call.count = 0
        if self._filter is not None:
            self._set_filter(self._filter)

    def filter(self, filter: str) -> None:
        """Let only packets that pass a filter reach Python, from the next batch on.

        The others go straight back to the fill ring, and are counted as `filtered`.

        Parameters
        ----------
        filter
            In the syntax of tcpdump, such as ``"udp and port 53"``; an empty text passes all.

        Raises
        ------
        ConfigurationError
            With libpcap's own words, for what is no filter: the one before stays. And without
            libpcap.
        """
        wanted = PacketFilter(filter)
        with self.between_calls():  # a call takes a tenth of a second at most
            self._gate.check()
            self._set_filter(wanted)

    def _set_filter(self, wanted: PacketFilter | None) -> None:
        code = wanted.code if wanted is not None and wanted.text.strip() else b""
        instructions = ffi.from_buffer("uint8_t[]", code)
        if lib.xdplab_capture_filter(
            self._pointer, self._worker, instructions, len(code) // _INSTRUCTION
        ):
            raise ConfigurationError(
                f"filter={wanted.text if wanted else ''!r}: libpcap's program for it can't be run "
                "here. Take a simpler filter, and batch.where(...) for the rest."
            )
        self._filter = wanted

    def try_recv(self) -> Batch:
        """Take the packets that wait, at most `Engine.batch`, without waiting for any.

        Returns
        -------
        Batch
            Empty if there is none.

        Raises
        ------
        ClosedError
            After `Capture.close`.
        ConfigurationError
            When another thread is in a call.
        KernelError
            When the queue receives no more: its interface is gone.
        """
        return self._receive(0)

    def recv(self, timeout: float | None = None) -> Batch:
        """Take the packets that wait; if there is none, wait for some as `Engine.wait` says.

        Parameters
        ----------
        timeout
            Seconds to wait at most; by default for ever.

        Returns
        -------
        Batch
            Empty if none came in time.

        Raises
        ------
        ClosedError
            After `Capture.close`, which may be called by another thread meanwhile.
        ConfigurationError
            When another thread is in a call.
        KernelError
            When the queue receives no more: its interface is gone.
        """
        wait = _LONGEST if timeout is None else seconds("timeout", timeout, 0, _LONGEST)
        until_ns = time.monotonic_ns() + int(wait * 1e9)
        while True:
            left_ns = until_ns - time.monotonic_ns()
            batch = self._receive(min(max(left_ns, 0), _SLICE_NS))
            if len(batch) or left_ns <= _SLICE_NS:
                return batch

    def __iter__(self) -> Iterator[Batch]:
        """Give batch after batch, until the capture is closed."""
        return self._batches()

    def _batches(self, empty_too: bool = False) -> Iterator[Batch]:
        """Give batches; where asked, an empty one when none came for a tenth of a second."""
        while True:
            try:
                batch = self._receive(_SLICE_NS)
            except ClosedError:
                return
            if empty_too or len(batch):
                yield batch
            del batch

    def __aiter__(self) -> AsyncIterator[Batch]:
        """Give batch after batch in asyncio, until the capture is closed.

        The event loop waits for the socket, not `Engine.wait`. Each millisecond in which packets
        never end, the loop's other tasks get a turn.
        """
        return batches(self.try_recv, self._may_sleep, self._descriptor, self._waiter)

    def _descriptor(self) -> int:
        return int(lib.xdplab_capture_descriptor(self._native.pointer, self._worker))

    def on_batch(self, function: Callable[[Batch], object]) -> BatchThread:
        """Call a function with each batch, on a thread of its own, pinned to the queue's core.

        Parameters
        ----------
        function
            Takes a `Batch`, which is its own until it returns.

        Returns
        -------
        BatchThread
            To be used by ``with``, or stopped: that raises what the function raised.
        """
        callable_of("function", function)
        cpu = self._native.configuration.cpus[self._worker]
        return BatchThread(self._batches(empty_too=True), function, cpu)

    def send(self, packets: Batch | Sequence[Any] | Any, timeout: float = 1.0) -> int:
        """Send packets from the interface's queue; return when the kernel has taken all.

        Parameters
        ----------
        packets
            A `Batch` of this queue, which is sent without copying and is then no longer yours; or
            whole Ethernet frames, which are copied into UMEM: a list of bytes, one uint8 array
            of shape (n, bytes), or a batch's `copy`.
        timeout
            Seconds that it may take at most, where the kernel does not send for now.

        Returns
        -------
        int
            How many packets were sent.

        Raises
        ------
        ConfigurationError
            For packets that can't be sent; none was.
        KernelError
            When the kernel did not take all in time; ``results`` is how many it took.
        """
        patience = seconds("timeout", timeout, 0, _LONGEST)
        self._gate.check()
        if is_a(packets, Batch) and packets._loan.give_back is not None:
            return self._send_own(packets, patience)
        return self._send_copies(Outgoing.of(packets, self._longest), patience)

    def end(self) -> None:
        """Let calls end and refuse new ones; wait for the present one unless a handler holds it."""
        self._gate.closed = True
        self._waiter.wake()
        if not self._gate.wait():
            return
        try:
            self._release_last()
            self._pointer = ffi.NULL
            # UMEM is unmapped now, but for batches that were kept.
            self.area = Area(np.empty(0, np.uint8), self.area.frame_size)
            self._returned.clear()
        finally:
            self.lock.release()

    def _enter(self) -> None:
        if not self.lock.acquire(blocking=False):
            self._gate.check()
            if self._gate.in_call:
                raise ConfigurationError(
                    f"queue {self.queue} is in use by another thread, and takes one call at a "
                    "time. Give each thread a queue of its own: "
                    "Capture(port, queue=[0, 1]).receivers."
                )
            self.lock.acquire()  # telemetry is read, or a setting changed, which takes a moment
        try:
            self._gate.check()
            self._native.check_ours()
            self._gate.in_call = True
        except BaseException:
            self.lock.release()
            raise

    def _leave(self) -> None:
        self._gate.in_call = False
        self.lock.release()

    def _receive(self, timeout_ns: int) -> Batch:
        self._enter()
        try:
            call = self._call
            if not call.count:  # else an interrupt came before the batch was made of it
                self._release_last()
                self._give_back()
                call.timeout_ns = timeout_ns
                if not call.room:
                    self._make_place()
                self._fill_place()
                while call.wanted > call.room:
                    self._make_place()
                    self._fill_place()
            return self._taken()
        finally:
            self._leave()

    def _make_place(self) -> None:
        """Make a place for the frames of a batch, as large as the last call wanted."""
        call, place = self._call, np.empty(self._call.wanted, FRAME)
        frames, room = ffi.from_buffer("struct xdplab_frame[]", place), len(place)
        # Nothing is called from here on, so that no interrupt comes between.
        self._place, call.frames, call.room = place, frames, room

    def _fill_place(self) -> None:
        code = lib.xdplab_capture_receive(self._pointer, self._worker, self._call, self._error)
        if code:
            raise self._failed(self._worker, -code)

    def _taken(self) -> Batch:
        """Make a batch of the frames that a call has left in its place."""
        call = self._call
        loan = FrameLoan(self.area, self._place[: call.count], None)
        batch = Batch(loan, call.time_ns + self._offset_ns, self.queue)
        # Nothing is called from here on, so that no interrupt comes between.
        if call.count:
            call.count = call.room = 0
            loan.give_back = self._take_back
            self._loan = loan
        return batch

    def _may_sleep(self) -> bool:
        self._enter()
        try:
            return bool(lib.xdplab_capture_may_sleep(self._pointer, self._worker))
        finally:
            self._leave()

    def _release_last(self) -> None:
        if self._loan is not None and not self._loan.kept:
            self._loan.release()
        self._loan = None

    def _take_back(self, area: Area, frames: Frames) -> None:
        if area is self.area:  # else it was closed or replaced, and is to be forgotten
            self._returned.append((area, frames))

    def _give_back(self) -> None:
        """Put returned frames into the fill ring, but those of a UMEM that was replaced."""
        while self._returned:
            area, frames = self._returned[0]
            if area is self.area:
                pointer = ffi.from_buffer("struct xdplab_frame[]", frames)
                lib.xdplab_capture_give_back(self._pointer, self._worker, pointer, len(frames))
            self._returned.popleft()  # after an interrupt before this, the call is repeated

    def _send_own(self, batch: Batch, patience: float) -> int:
        loan = batch._loan
        if loan.area is not self.area or batch._queue != self.queue:
            raise ConfigurationError(
                f"this batch is not of this capture's queue {self.queue}, whose socket can't send "
                "frames of another's. Send a copy: send(batch.copy())."
            )
        self._enter()
        try:
            frames = loan.take(batch._index)
            try:
                return self._hand_over(ffi.NULL, frames, patience)
            finally:
                self._take_back(loan.area, frames)  # what was not sent
        finally:
            self._leave()

    def _send_copies(self, packets: Outgoing, patience: float) -> int:
        self._enter()
        try:
            return self._hand_over(
                ffi.from_buffer("uint8_t[]", packets.bytes), packets.frames, patience
            )
        finally:
            self._leave()

    def _hand_over(self, bytes_: Any, frames: Frames, patience: float) -> int:
        until_ns = time.monotonic_ns() + int(patience * 1e9)
        count, sent = len(frames), ffi.new("uint32_t *")
        pointer = ffi.from_buffer("struct xdplab_frame[]", frames)
        while sent[0] < count:
            left_ns = until_ns - time.monotonic_ns()
            slice_ns = min(max(left_ns, 0), _SLICE_NS)  # so that Ctrl-C is heard
            lib.xdplab_capture_send(
                self._pointer, self._worker, bytes_, pointer, count, slice_ns, sent
            )
            if left_ns <= slice_ns and sent[0] < count:
                error = KernelError(
                    f"send {counted(count, 'packet')} in {patience:g} s",
                    errno.EAGAIN,
                    f"It took {sent[0]:,} of them (the error's `results`).",
                )
                error.results = int(sent[0])
                raise error
        return count
