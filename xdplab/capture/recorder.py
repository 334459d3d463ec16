"""Recording a capture into pcapng files: whole packets, until a number or a time is reached."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from xdplab.capture.pcapng import PcapngWriter
from xdplab.core.files import place_of, refused
from xdplab.core.text import counted

if TYPE_CHECKING:
    from xdplab.capture.batch import Batch
    from xdplab.capture.capture import Capture

BATCH, RING_SIZE = 256, 32_768
"""Of a capture that is recorded: a file system may keep a write for a tenth of a second."""

_LOOK_SECONDS = 0.1


class Recorder:
    """Writes batches into a file, or into one after the other.

    At every moment the files are whole, but for the last packet if the process is killed: a reader
    says then that the file was cut short.

    Parameters
    ----------
    path
        Of the file, whose place an older one loses. With `rotate`, the files have numbers in front
        of the ending: ``x-00001.pcapng``.
    rotate
        Bytes after which a new file is begun; 0 for one file.

    Raises
    ------
    ConfigurationError
        For a place that is no regular file.
    KernelError
        When it can't be written.
    """

    def __init__(self, path: str | os.PathLike[str], rotate: int = 0) -> None:
        self._place, self._rotate = place_of(path), rotate
        self.files: list[Path] = []
        """The files, oldest first."""
        self.packets = 0
        """Packets in them."""
        self.replaced = False
        """Whether an older file was replaced."""
        self._file: BinaryIO | None = None
        self._size = 0
        self._begin()

    def write(self, batch: Batch) -> None:
        """Write a batch.

        Parameters
        ----------
        batch
            The batch.

        Raises
        ------
        KernelError
            When it can't be written: what was written before stays.
        """
        if self._rotate and self._size >= self._rotate:
            self.close()
            self._begin()
        before = self._writer.packets
        self._writer.write(batch)
        self.packets += self._writer.packets - before

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __str__(self) -> str:
        where = str(self.files[-1])
        if len(self.files) > 1:
            where = f"{len(self.files):,} files, {self.files[0]} to {where}"
        replaced = ", in place of an older file" if self.replaced else ""
        return f"{counted(self.packets, 'packet')} in {where}{replaced}"

    def _begin(self) -> None:
        place = self._place
        if self._rotate:
            number = len(self.files) + 1
            place = place.with_name(f"{place.stem}-{number:05}{place.suffix}")
        try:
            self.replaced |= place.exists() and place.stat().st_size > 0
            self._file = place.open("wb", buffering=0)
        except OSError as error:
            raise refused(place, error) from error
        self.files.append(place)
        self._size = 0
        self._writer = PcapngWriter(self._write_all)

    def _write_all(self, data: Any) -> None:
        """Write whole blocks; what can't be written whole is taken back."""
        file = self._file
        if file is None:
            return
        left = memoryview(data)
        try:
            while left:
                left = left[file.write(left) :]
        except OSError as error:
            os.ftruncate(file.fileno(), self._size)
            raise refused(self.files[-1], error) from error
        self._size += len(memoryview(data))


def record(
    capture: Capture,
    recorder: Recorder,
    count: int | None,
    seconds: float | None,
    check: Callable[[], None],
) -> None:
    """Record packets, until there are so many, or for so long.

    Parameters
    ----------
    capture, recorder
        Where from, and where to.
    count
        Packets, or None.
    seconds
        How long, or None.
    check
        Called some ten times a second; raises to end it.
    """
    until = time.monotonic() + seconds if seconds is not None else float("inf")
    looked = time.monotonic()
    while (now := time.monotonic()) < until and (count is None or recorder.packets < count):
        if now - looked > _LOOK_SECONDS:
            check()
            looked = now
        batch = capture.recv(timeout=min(_LOOK_SECONDS, until - now))
        if count is not None:
            batch = batch[: count - recorder.packets]
        if len(batch):
            recorder.write(batch)
