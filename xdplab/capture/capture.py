"""A capture: an engine whose packets go to Python, and whose worker is the calling thread."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NoReturn, Self

from xdplab.capture.batch import Batch
from xdplab.capture.offline import CaptureFile
from xdplab.capture.receiver import Receiver
from xdplab.capture.thread import BatchThread
from xdplab.configuration.groups import Memory, Sampling, Worker
from xdplab.configuration.keywords import explain
from xdplab.core.calls import public_as
from xdplab.core.errors import ConfigurationError
from xdplab.engine.engine import Engine
from xdplab.net.resolve import End

if TYPE_CHECKING:
    from xdplab.xdp.program import Program


@public_as(explain=explain)
class Capture(Engine):
    """Packets in Python: an engine that lends each packet to its user.

    Whoever calls is the worker: `recv` reads the knobs, waits by the wait strategy, receives,
    publishes telemetry, and returns a `Batch`, in one native call that lets other threads of Python
    run. All knobs, widgets and the ledger work as on an `Engine`. The kernel keeps packets in the
    RX ring between two calls; `ring_size` bounds how many.

    Parameters
    ----------
    interface, match, promiscuous, allow_default_route, batch, wait, inspect, ring_size, frame_size
        As for `Engine`.
    attach, program, xskmap, bind, name, memory, sampling, worker
        As for `Engine`.
    queue
        Which of its receive queues; or several, each with a `Receiver` of its own in `receivers`.
    sockets
        How many sockets each queue has, as `Engine` documents it; each has a `Receiver`.
    cpu
        Core of each queue's `on_batch` thread. Other calls stay on their own thread's cores.

    Raises
    ------
    ConfigurationError, QueueBusyError, PermissionRefusedError, InterfaceGoneError, KernelError
        As for `Engine`.
    """

    _delivers = True

    def __init__(
        self,
        interface: End,
        *,
        queue: int | Sequence[int] = 0,
        sockets: int = 1,
        match: str = "",
        promiscuous: bool = False,
        allow_default_route: bool = False,
        batch: int | None = None,
        wait: str = "poll",
        inspect: bool = False,
        ring_size: int = 2048,
        frame_size: int = 2048,
        attach: str = "native",
        program: Program | None = None,
        xskmap: str = "",
        bind: str = "auto",
        cpu: int | Sequence[int] | None = None,
        name: str = "",
        memory: Memory = Memory(),
        sampling: Sampling = Sampling(),
        worker: Worker = Worker(),
    ) -> None:
        self.receivers: tuple[Receiver, ...] = ()
        """One for each socket, queue by queue. They may be used side by side, each by one thread at
        a time."""
        super().__init__(
            interface,
            queue=queue,
            sockets=sockets,
            match=match,
            promiscuous=promiscuous,
            allow_default_route=allow_default_route,
            action="deliver",
            batch=batch,
            wait=wait,
            inspect=inspect,
            ring_size=ring_size,
            frame_size=frame_size,
            attach=attach,
            program=program,
            xskmap=xskmap,
            bind=bind,
            cpu=cpu,
            name=name,
            memory=memory,
            sampling=sampling,
            worker=worker,
        )
        try:
            self._native.start()
            self.receivers = tuple(
                Receiver(self._native, number, self._fault, self._offset)
                for number in range(len(self.configuration.worker_queues))
            )
        except BaseException:
            self.close()
            raise

    @staticmethod
    def from_pcap(path: str | os.PathLike[str], *, batch: int = 64) -> CaptureFile:
        """Read a capture file in batches, without an interface.

        Parameters
        ----------
        path
            Of a pcap or pcapng file, also in gzip.
        batch
            Most packets of a batch.

        Returns
        -------
        CaptureFile
            Gives batches as a capture does.

        Raises
        ------
        ConfigurationError
            When it is no capture file.
        KernelError
            When it can't be read.
        """
        return CaptureFile(path, batch=batch)

    def filter(self, filter: str) -> None:
        """Let only packets that pass a filter reach Python, as `Receiver.filter`, on all queues.

        Parameters
        ----------
        filter
            In the syntax of tcpdump; an empty text passes all.
        """
        for each in self.receivers:
            each.filter(filter)

    def try_recv(self) -> Batch:
        """Take the packets that wait, as `Receiver.try_recv`."""
        return self._only.try_recv()

    def recv(self, timeout: float | None = None) -> Batch:
        """Take the packets that wait, or wait for some, as `Receiver.recv`.

        Parameters
        ----------
        timeout
            Seconds to wait at most; by default for ever.
        """
        return self._only.recv(timeout)

    def __iter__(self) -> Iterator[Batch]:
        """Give batch after batch, until the capture is closed."""
        return iter(self._only)

    def __aiter__(self) -> AsyncIterator[Batch]:
        """Give batch after batch in asyncio, as `Receiver.__aiter__`."""
        return aiter(self._only)

    def on_batch(self, function: Callable[[Batch], object]) -> BatchThread:
        """Call a function with each batch, on a thread of its own, as `Receiver.on_batch`.

        Parameters
        ----------
        function
            Takes a `Batch`.
        """
        return self._only.on_batch(function)

    def send(self, packets: Any, timeout: float = 1.0) -> int:
        """Send packets, as `Receiver.send`.

        Parameters
        ----------
        packets
            A `Batch`, a list of bytes, or a uint8 array of shape (n, bytes).
        timeout
            Seconds that it may take at most.
        """
        return self._only.send(packets, timeout)

    def start(self) -> Self:
        """Do nothing: a capture receives when it is asked to."""
        self._native.check_ours()
        return self

    def stop(self) -> NoReturn:
        """Refuse: there is no worker to stop.

        Raises
        ------
        ConfigurationError
            Always.
        """
        raise ConfigurationError(
            "a capture has no worker that could be stopped: it receives when it is asked to. "
            "capture.close() ends it."
        )

    def reconfigure(self, **changes: Any) -> None:
        """Change settings that need new sockets, as `Engine.reconfigure`.

        It waits for calls that are under way. Packets in the rings are lost, and counted. Batches
        that were kept stay readable, but can't be sent any more.

        Parameters
        ----------
        changes
            As for `Engine.reconfigure`.
        """
        with ExitStack() as held:
            for each in self.receivers:
                held.enter_context(each.between_calls())
            try:
                super().reconfigure(**changes)
            finally:
                for each in self.receivers:
                    each.open()

    def refresh(self) -> None:
        """Bring telemetry up to date where nobody is receiving."""
        with ExitStack() as held:
            for each in self.receivers:
                if not each.lock.acquire(blocking=False):
                    return  # a call writes its own records
                held.callback(each.lock.release)
            super().refresh()

    def close(self) -> None:
        """End all calls and release all resources. Batches that were kept stay readable."""
        if "_native" in vars(self) and self._native.is_ours:
            for each in self.receivers:
                each.end()
        super().close()

    @property
    def _only(self) -> Receiver:
        if len(self.receivers) != 1:
            raise ConfigurationError(
                f"this capture has {len(self.receivers)} queues, and a thread receives from one: "
                f"capture.receivers[0].recv(), and so on up to [{len(self.receivers) - 1}]."
            )
        return self.receivers[0]

    @property
    def _offset(self) -> int:
        header = self.telemetry.header
        return int(header["realtime_ns"]) - int(header["monotonic_ns"])
