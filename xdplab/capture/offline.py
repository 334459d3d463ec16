"""Batches from a capture file."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from itertools import islice

import numpy as np

from xdplab.capture.area import stacked
from xdplab.capture.batch import Batch
from xdplab.capture.loan import FrameLoan
from xdplab.core.calls import public_as
from xdplab.core.checks import place, shown, whole
from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError, ConfigurationError, KernelError
from xdplab.core.table import Table, Tabled
from xdplab.net.packet_filter import PacketFilter
from xdplab.send import capture_file

_LARGEST_BATCH = 1 << 16
_TIMES = np.iinfo(np.int64)


@public_as(made="Capture.from_pcap(path)")
class CaptureFile(Tabled, Closing):
    """A capture file, read in batches.

    Its batches are copies: they stay right for good. What of the file can't be read, and frames
    that are not Ethernet's, are left out and counted in `left_out`; `damage` says why the rest of
    the file can't be read.

    Parameters
    ----------
    path, batch
        As for `Capture.from_pcap`.
    """

    def __init__(self, path: str | os.PathLike[str], *, batch: int = 64) -> None:
        self.path = place("path", path)
        """The file's path."""
        self.left_out = 0
        """Frames left out so far."""
        self.damage = ""
        """Why the rest of the file can't be read; empty where it can."""
        self._batch = whole("batch", batch, 1, _LARGEST_BATCH)
        self._filter = PacketFilter("")
        self._file: io.BufferedReader | None = None
        try:
            self._file = self.path.open("rb")
            self._frames = self._whole_frames(capture_file.read(self._file))
        except OSError as error:
            raise KernelError(
                f"read {self.path}", error.errno or errno.EIO, "Give the path of a capture file."
            ) from error
        except capture_file.NoCaptureFileError as error:
            self.close()
            raise ConfigurationError(
                f"path={shown(str(self.path))} is no pcap or pcapng file. Give one that is: "
                "`editcap` makes one of other formats."
            ) from error

    def filter(self, filter: str) -> None:
        """Let only packets that pass a filter through, from the next batch on.

        Parameters
        ----------
        filter
            In the syntax of tcpdump, such as ``"udp and port 53"``; an empty text passes all.

        Raises
        ------
        ConfigurationError
            With libpcap's own words, for what is no filter.
        """
        self._filter = PacketFilter(filter)

    def try_recv(self) -> Batch:
        """Read the next packets.

        Returns
        -------
        Batch
            Empty at the file's end.

        Raises
        ------
        ClosedError
            After `close`.
        KernelError
            When it can't be read.
        """
        if self._file is None:
            raise ClosedError("this capture file was closed. Open it again: Capture.from_pcap(...)")
        found = list(islice(self._frames, self._batch))
        area, frames = stacked([each.bytes for each in found])
        times = np.array([_time(each.time_ns) for each in found], np.int64)
        return Batch(FrameLoan(area, frames, None), times, 0)

    recv = try_recv

    def __iter__(self) -> Iterator[Batch]:
        """Give batch after batch, to the file's end."""
        while len(batch := self.try_recv()):
            yield batch

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _whole_frames(
        self, frames: Iterator[capture_file.Frame | capture_file.Unreadable]
    ) -> Iterator[capture_file.Frame]:
        try:
            for frame in frames:
                if (
                    isinstance(frame, capture_file.Unreadable)
                    or frame.link != capture_file.ETHERNET
                ):
                    self.left_out += 1
                elif self._filter.matches(frame.bytes, frame.length):
                    yield frame
        except capture_file.DamagedError as error:
            self.damage = str(error)
        except OSError as error:
            raise KernelError(f"read {self.path}", error.errno or errno.EIO, "") from error

    def _brief(self) -> str:
        state = ", closed" if self._file is None else ""
        return f"<CaptureFile {self.path}{state}>"

    def _table(self) -> Table:
        rows = [("frames left out", f"{self.left_out:,}")]
        return Table(self._brief(), rows, lines=[self.damage] if self.damage else [])


def _time(time_ns: int | None) -> int:
    """Return a frame's time; 0 where the file has none, or one that no clock has."""
    return time_ns if time_ns is not None and _TIMES.min <= time_ns <= _TIMES.max else 0
