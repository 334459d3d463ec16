"""The frames of a capture file, for a generator."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from shlex import quote
from typing import Self

import numpy as np
import numpy.typing as npt

from xdplab.core.errors import ConfigurationError
from xdplab.send.capture_file import (
    ETHERNET,
    DamagedError,
    Frame,
    NoCaptureFileError,
    Unreadable,
    read,
)
from xdplab.send.remarks import Remarks

_SHORTEST_FRAME = 14
_LONGEST_FRAME = 65_535 + 14 + 4  # of the largest MTU, with a VLAN tag
_HELD_BYTES = 64 << 20  # of a file that is held in memory; a larger one is read while it is sent
_PIECE_BYTES, _PIECE_FRAMES = 1 << 20, 4096
_FRAME_BYTES = 28  # of a frame's length, place and time, here and in the engine
_LATEST_NS = 1 << 61  # a pcapng file can name any year

_SHORT = f"shorter than the {_SHORTEST_FRAME} bytes of an Ethernet header"
_LONG = (
    f"longer than the {_LONGEST_FRAME:,} bytes of the longest frame: the capture saw it before the "
    "NIC cut it (switch the NIC's offloads tso, gso and gro off before a capture)"
)
_IN_PART = "captured in part, and zeros stand for the rest"
_WITHOUT_FCS = "sent without the frame check sequence, of 4 bytes, that the file has"
_BACK = "captured before the frame in front of it, by their times, and sent right behind that one"


@dataclass(frozen=True)
class Piece:
    """Consecutive frames of a file.

    Parameters
    ----------
    frames
        The bytes of all frames, one after the other.
    lengths
        Bytes of each, uint32.
    times_ns
        Nanoseconds from the first frame of the file until each is due, uint64; never falling.
    """

    frames: bytes | bytearray = field(repr=False)
    lengths: npt.NDArray[np.uint32] = field(repr=False)
    times_ns: npt.NDArray[np.uint64] = field(repr=False)


class Replay:
    """Frames of a capture file, when each is due, and remarks on those that are not sent.

    Of a file that is read while it is sent, `longest`, `left_out` and `remarks` tell what was read
    so far.

    Parameters
    ----------
    path
        Path of the file.
    takes
        Bytes of the longest frame that the sender's interface takes.
    """

    def __init__(self, path: Path, takes: int) -> None:
        self._path, self._takes = path, takes
        self.name = path.name
        """Name of the file."""
        self.held: Piece | None = None
        """All its frames; None where it is read while it is sent."""
        self._known = _Reading(takes)  # the reading that came furthest

    @property
    def longest(self) -> int:
        """Bytes of the longest frame."""
        return self._known.longest

    @property
    def left_out(self) -> int:
        """Number of frames of the file that are left out, as far as they can be counted."""
        return self._known.remarks.left_out

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on frames that are left out or changed, with their numbers, from 1."""
        return tuple(self._known.remarks)

    @classmethod
    def read(cls, path: str | os.PathLike[str], takes: int = _LONGEST_FRAME) -> Self:
        """Read a pcap or pcapng file, also one that gzip compressed.

        A frame that was captured in part is filled up with zeros. A frame with an earlier time than
        the one before it is due together with that one. A frame check sequence is removed where the
        file says that it is there. Frames that can't be sent or read are left out, and `remarks`
        tell it. Of a file of more than 64 MiB the beginning is read, and all of it while it is
        sent.

        Parameters
        ----------
        path
            Path of the file; its frames are Ethernet, of 14 to 65,553 bytes.
        takes
            Bytes of the longest frame that the sender's interface takes.

        Raises
        ------
        ConfigurationError
            When there is no such file, it is of another kind, or has no frame that can be sent.
        """
        with _opened(path) as (place, file):
            replay = cls(place, takes)
            reading = replay._known
            try:
                for frame in read(file):
                    reading.add(frame)
                    if reading.pile.bytes > _HELD_BYTES:
                        _require_file(place)
                        return replay
            except DamagedError as error:
                reading.remarks.end(str(error))
        if not reading.sent:
            raise ConfigurationError(
                f"can't replay {os.fspath(path)!r}: it has no frame to send. "
                + " ".join([*reading.remarks, reading.remedy])
            )
        replay.held = reading.pile.take()
        return replay

    def pieces(self, repeat: int) -> Iterator[Piece]:
        """Read the file from its beginning, piece by piece.

        What can't be read any more is in `remarks`.

        Parameters
        ----------
        repeat
            How often; 0 for ever. The times go on from one round to the next.
        """
        begun_ns = done = 0
        while not repeat or done < repeat:
            reading = _Reading(self._takes)
            for piece in self._read_on(reading):
                if reading.remarks.ended or reading.remarks.seen >= self._known.remarks.seen:
                    self._known = reading
                yield Piece(piece.frames, piece.lengths, piece.times_ns + np.uint64(begun_ns))
            if not reading.sent:
                return
            average = reading.due_ns // (reading.sent - 1) if reading.sent > 1 else 0
            begun_ns = min(begun_ns + reading.due_ns + average, 2 * _LATEST_NS)
            done += 1

    def give_up(self, why: str) -> None:
        """Note that the rest of the file is not sent."""
        self._known.remarks.end(why)

    def _read_on(self, reading: _Reading) -> Iterator[Piece]:
        try:
            with self._path.open("rb") as file:
                for frame in read(file):
                    reading.add(frame)
                    if reading.pile.is_piece:
                        yield reading.pile.take()
        except DamagedError as error:
            reading.remarks.end(str(error))
        except NoCaptureFileError:
            reading.remarks.end("it is no pcap or pcapng file any more")
        except OSError as error:
            reading.remarks.end(f"it can't be read any more ({error.strerror})")
        yield reading.pile.take()


class _Reading:
    """Takes the frames of a file, one after the other."""

    def __init__(self, takes: int) -> None:
        self.pile, self.remarks = _Pile(), Remarks()
        self.sent = self.longest = self.due_ns = 0
        self._first_ns: int | None = None
        self._only_foreign = True
        self._takes = takes
        self._too_long = f"longer than the {takes:,} bytes that the interface takes: it can't leave"

    def add(self, frame: Frame | Unreadable) -> None:
        self.remarks.seen += 1
        if why := _why_not(frame):
            self._only_foreign &= isinstance(frame, Frame) and frame.link != ETHERNET
            self.remarks.leave_out(why)
            return
        assert isinstance(frame, Frame)
        if frame.length > self._takes:
            self.remarks.note(self._too_long)
        if len(frame.bytes) < frame.length:
            self.remarks.note(_IN_PART)
        if frame.without_fcs:
            self.remarks.note(_WITHOUT_FCS)
        self._set_due(frame.time_ns)
        self.sent += 1
        self.longest = max(self.longest, frame.length)
        self.pile.add(frame, self.due_ns)

    def _set_due(self, time_ns: int | None) -> None:
        """Find when a frame is due; one without a time is due with the one before it."""
        if time_ns is None:
            return
        time_ns = max(-_LATEST_NS, min(time_ns, _LATEST_NS))
        if self._first_ns is None:  # earlier frames, without a time, are due with it
            self._first_ns = time_ns
        if time_ns - self._first_ns < self.due_ns:
            self.remarks.note(_BACK)
        self.due_ns = max(self.due_ns, time_ns - self._first_ns)

    @property
    def remedy(self) -> str:
        """The remedy when there is no frame to send."""
        if self.remarks.seen and self._only_foreign:
            return "Capture on an Ethernet interface, not on `any`."
        return "Choose another file."


class _Pile:
    """Frames that were read and not yet taken."""

    def __init__(self) -> None:
        self._frames, self._lengths, self._times = bytearray(), array("I"), array("Q")

    def add(self, frame: Frame, due_ns: int) -> None:
        self._frames += frame.bytes
        if frame.length > len(frame.bytes):
            self._frames += bytes(frame.length - len(frame.bytes))
        self._lengths.append(frame.length)
        self._times.append(due_ns)

    @property
    def bytes(self) -> int:
        """Bytes that it takes, here and in the engine."""
        return len(self._frames) + len(self._lengths) * _FRAME_BYTES

    @property
    def is_piece(self) -> bool:
        return len(self._frames) >= _PIECE_BYTES or len(self._lengths) >= _PIECE_FRAMES

    def take(self) -> Piece:
        lengths, times = np.array(self._lengths, np.uint32), np.array(self._times, np.uint64)
        piece = Piece(self._frames, lengths, times)
        self._frames, self._lengths, self._times = bytearray(), array("I"), array("Q")
        return piece


def _why_not(frame: Frame | Unreadable) -> str:
    """Return why a frame can't be sent; empty where it can."""
    if isinstance(frame, Unreadable):
        return frame.why
    if frame.link != ETHERNET:
        return f"not Ethernet's (link type {frame.link})"
    if frame.length < _SHORTEST_FRAME:
        return _SHORT
    return _LONG if frame.length > _LONGEST_FRAME else ""


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[tuple[Path, BufferedReader]]:
    try:
        place = Path(path).expanduser()
        with place.open("rb") as file:
            yield place, file
    except NoCaptureFileError as error:
        if place.is_file() and not place.stat().st_size:
            why = "it is empty. Choose another file."
        else:
            why = (
                f"it is no pcap or pcapng file. `editcap {quote(str(place))} other.pcapng` makes "
                "one of other formats."
            )
        raise ConfigurationError(f"can't replay {os.fspath(path)!r}: {why}") from error
    except OSError as error:
        raise ConfigurationError(
            f"can't replay {os.fspath(path)!r}: {error.strerror}. Name a file that can be read."
        ) from error
    except (RuntimeError, ValueError) as error:  # no such user's home, a NUL
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            f"can't replay {os.fspath(path)!r}: {error}. Name a file that can be read."
        ) from error


def _require_file(place: Path) -> None:
    if not place.is_file():
        raise ConfigurationError(
            f"can't replay {os.fspath(place)!r}: it has more than {_HELD_BYTES >> 20} MiB, and is "
            f"no file that can be read again. `cat {quote(str(place))} > all.pcap` makes one."
        )
