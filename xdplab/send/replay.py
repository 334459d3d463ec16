"""The frames of a capture file, for a generator of the soft NIC."""

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

_SHORTEST_FRAME = 14
_LONGEST_FRAME = 65_535 + 14 + 4  # of the largest MTU, with a VLAN tag
_MOST_BYTES = 256 << 20  # of frames, which are held in memory
_LATEST_NS = 1 << 61  # a pcapng file can name any year
_MOST_NAMED = 5  # frames of a remark

_SHORT = f"shorter than the {_SHORTEST_FRAME} bytes of an Ethernet header"
_LONG = (
    f"longer than the {_LONGEST_FRAME:,} bytes of the longest frame: the capture saw it before the "
    "NIC cut it (switch the NIC's offloads tso, gso and gro off before a capture)"
)
_IN_PART = "captured in part, and zeros stand for the rest"
_WITHOUT_FCS = "sent without the frame check sequence, of 4 bytes, that the file has"
_BACK = "captured before the frame in front of it, by their times, and sent right behind that one"


@dataclass(frozen=True)
class Replay:
    """Frames, and when each is due.

    Parameters
    ----------
    name
        Name of the file.
    frames
        The bytes of all frames, one after the other.
    lengths
        Bytes of each, uint32.
    times_ns
        Nanoseconds from the first frame until each is due, uint64; never falling.
    repeat
        How often they are sent in one start; 0 repeats until stopped.
    left_out
        Number of frames of the file that are left out, as far as they can be counted.
    remarks
        A sentence for each reason to leave frames out or to change them, with the frames' numbers,
        which count from 1.
    """

    name: str
    frames: bytes | bytearray = field(repr=False)
    lengths: npt.NDArray[np.uint32] = field(repr=False)
    times_ns: npt.NDArray[np.uint64] = field(repr=False)
    repeat: int = 1
    left_out: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """Bytes of the longest frame."""
        return int(self.lengths.max())

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a pcap or pcapng file, also one that gzip compressed.

        A frame that was captured in part is filled up with zeros. A frame with an earlier time than
        the one before it is due together with that one. A frame check sequence is removed where the
        file says that it is there. Frames that can't be sent or read are left out, and `remarks`
        tell it.

        Parameters
        ----------
        path
            Path of the file; its frames are Ethernet, of 14 to 65,553 bytes, 256 MiB in all.

        Raises
        ------
        ConfigurationError
            When there is no such file, it is of another kind, or has no frame that can be sent.
        """
        pile = _Pile()
        with _opened(path) as (place, file):
            try:
                for frame in read(file):
                    pile.add(frame)
                    if len(pile.frames) > _MOST_BYTES:
                        raise ConfigurationError(
                            f"{place} has more than {_MOST_BYTES >> 20} MiB of frames, which are "
                            f"held in memory: `editcap -r {quote(str(place))} part.pcapng "
                            f"1-{pile.seen - 1}` "
                            "takes those that there is room for."
                        )
            except DamagedError as error:
                pile.end(str(error))
        if not pile.lengths:
            raise ConfigurationError(
                f"can't replay {os.fspath(path)!r}: it has no frame to send. "
                + " ".join([*pile.remarks(), pile.remedy])
            )
        due = np.maximum.accumulate(np.frombuffer(pile.times, np.int64))
        return cls(
            place.name,
            pile.frames,
            np.frombuffer(pile.lengths, np.uint32),
            (due - due[0]).astype(np.uint64),
            left_out=pile.left_out,
            remarks=tuple(pile.remarks()),
        )


class _Pile:
    """Frames that can be sent, and remarks on the others."""

    def __init__(self) -> None:
        self.frames, self.lengths, self.times = bytearray(), array("I"), array("q")
        self.seen = self.left_out = 0
        self._out: dict[str, array[int]] = {}
        self._otherwise: dict[str, array[int]] = {}
        self._end = ""
        self._timeless = True
        self._only_foreign = True

    def add(self, frame: Frame | Unreadable) -> None:
        self.seen += 1
        if why := _why_not(frame):
            self.left_out += 1
            self._only_foreign &= isinstance(frame, Frame) and frame.link != ETHERNET
            self._out.setdefault(why, array("Q")).append(self.seen)
            return
        assert isinstance(frame, Frame)
        if len(frame.bytes) < frame.length:
            self._note(_IN_PART)
        if frame.without_fcs:
            self._note(_WITHOUT_FCS)
        self._add_time(frame.time_ns)
        self.frames += frame.bytes
        self.frames += bytes(frame.length - len(frame.bytes))
        self.lengths.append(frame.length)

    def _add_time(self, time_ns: int | None) -> None:
        latest = self.times[-1] if self.times else 0
        if time_ns is None:
            self.times.append(latest)
            return
        time_ns = max(-_LATEST_NS, min(time_ns, _LATEST_NS))
        if self._timeless:  # earlier frames, without a time, are due with it
            self._timeless = False
            self.times = array("q", [time_ns]) * len(self.times)
        elif time_ns < latest:
            self._note(_BACK)
            time_ns = latest
        self.times.append(time_ns)

    def end(self, why: str) -> None:
        """Note that frames behind those seen can't be read."""
        self.left_out += 1
        self._end = f"Frame {self.seen + 1:,} and what follows it was left out: {why}."

    def remarks(self) -> Iterator[str]:
        for why, numbers in self._out.items():
            was = "was" if len(numbers) == 1 else "were"
            yield f"{self._of(numbers)} {was} left out, {why} {_named(numbers)}."
        if self._end:
            yield self._end
        for how, numbers in self._otherwise.items():
            was = "was" if len(numbers) == 1 else "were"
            yield f"{self._of(numbers)} {was} {how} {_named(numbers)}."

    @property
    def remedy(self) -> str:
        """The remedy when there is no frame to send."""
        if self._out and self._only_foreign:
            return "Capture on an Ethernet interface, not on `any`."
        return "Choose another file."

    def _note(self, how: str) -> None:
        self._otherwise.setdefault(how, array("Q")).append(self.seen)

    def _of(self, numbers: array[int]) -> str:
        return f"{len(numbers):,} of {self.seen:,} frame{'' if self.seen == 1 else 's'}"


def _why_not(frame: Frame | Unreadable) -> str:
    """Return why a frame can't be sent; empty where it can."""
    if isinstance(frame, Unreadable):
        return frame.why
    if frame.link != ETHERNET:
        return f"not Ethernet's (link type {frame.link})"
    if frame.length < _SHORTEST_FRAME:
        return _SHORT
    return _LONG if frame.length > _LONGEST_FRAME else ""


def _named(numbers: array[int]) -> str:
    named = ", ".join(f"{number:,}" for number in numbers[:_MOST_NAMED])
    more = ", ..." if len(numbers) > _MOST_NAMED else ""
    return f"(frame{'' if len(numbers) == 1 else 's'} {named}{more})"


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
