"""A Python program as a receiver: a `Capture`, received from in one of its ways."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Any

import numpy as np

from xdplab.bench.receiver import Received, figures, told_later
from xdplab.bench.wire import Wire
from xdplab.capture.batch import Batch
from xdplab.capture.capture import Capture
from xdplab.core.errors import ClosedError
from xdplab.experiments.measure import measure_whole


def _work(batch: Batch) -> None:
    """Sum one field, as the least that a program may do with packets."""
    np.ma.getdata(batch["udp.dport"]).sum()


def _plain(capture: Capture) -> None:
    for batch in capture:
        _work(batch)


def _waiting(capture: Capture) -> None:
    with suppress(ClosedError):
        while True:
            batch = capture.recv(timeout=0.05)
            if len(batch):
                _work(batch)


def _in_asyncio(capture: Capture) -> None:
    async def receive() -> None:
        async for batch in capture:
            _work(batch)

    asyncio.run(receive())


WAYS: dict[str, Callable[[Capture], None]] = {
    "for": _plain,
    "recv": _waiting,
    "async for": _in_asyncio,
}
"""What receives until the capture is closed, by name."""


class PythonProgram:
    """Receives a run's traffic in Python.

    Parameters
    ----------
    name
        Of the entry.
    way
        What receives until the capture is closed.
    wait, batch
        As for `Capture`.
    """

    program = "xdplab in Python"
    RING_SIZE = 2048

    def __init__(self, name: str, way: Callable[[Capture], None], wait: str, batch: int) -> None:
        self.name, self._way = name, way
        self.settings: dict[str, Any] = {"wait": wait, "batch": batch, "ring_size": self.RING_SIZE}
        self.version: str | None = version("xdplab")

    def missing(self) -> str | None:
        """Return None: Python is always there."""
        return None

    def run(self, wire: Wire, seconds: float) -> Received:
        """Measure once.

        Raises
        ------
        XdplabError
            When the capture can't be opened, or it or the generator ended by itself.
        """
        with (
            told_later(),
            Capture(wire.lab.port, cpu=wire.worker, **self.settings) as capture,
            self._receiving(capture, wire.worker),
        ):
            wire.warm_up()
            measured = measure_whole(capture, wire.traffic, seconds)
        return Received(
            measured.seconds, measured.sent or 0, measured.rx_packets, figures(measured)
        )

    @contextmanager
    def _receiving(self, capture: Capture, cpu: int) -> Iterator[None]:
        """Receive on a thread on the worker's core, until the end."""

        def receive() -> None:
            os.sched_setaffinity(0, {cpu})
            self._way(capture)

        thread = threading.Thread(target=receive, name="xdplab-bench-python", daemon=True)
        thread.start()
        try:
            yield
        finally:
            capture.close()
            thread.join()
