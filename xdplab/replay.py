"""A capture file's frames, as a generator of the soft NIC sends them again."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from xdplab.errors import ConfigurationError

_LINKTYPE_ETHERNET = 1
_SHORTEST_FRAME, _LONGEST_FRAME = 14, 65_535
_MOST_BYTES = 256 << 20  # of frames, which are held in memory
_NANOSECONDS = 10**9
_LATEST_NS = 1 << 62  # a pcapng file can name any year
_CUT = "`editcap` cuts a part out of it"


@dataclass(frozen=True)
class Replay:
    """Frames, and when each is due.

    Parameters
    ----------
    name
        Of the file that they come from.
    frames
        One behind the other.
    lengths
        Bytes of each, uint32.
    times_ns
        When each is due after the first, uint64, in nanoseconds; never falling.
    repeat
        How often they are sent in one start; 0 until it is stopped.
    """

    name: str
    frames: bytes = field(repr=False)
    lengths: npt.NDArray[np.uint32] = field(repr=False)
    times_ns: npt.NDArray[np.uint64] = field(repr=False)
    repeat: int = 1

    @property
    def longest(self) -> int:
        """Bytes of the longest frame."""
        return int(self.lengths.max())

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a pcap or pcapng file, also one that gzip made smaller.

        Of a frame that was cut short when it was captured, zeros stand for the rest. A frame with
        an earlier time than the one before it is due with that one. A last frame of which the file
        lacks a part is left out.

        Parameters
        ----------
        path
            Of the file; its frames are Ethernet's, of 14 to 65,535 bytes, 256 MiB in all.

        Raises
        ------
        ConfigurationError
            For no such file, another kind of file or frame, no frame at all, and where scapy is
            missing.
        """
        place = Path(path).expanduser()
        frames: list[bytes] = []
        times: list[int] = []
        size = 0
        with _opened(place) as reader:
            for frame, time_ns in _frames(reader, place):
                size += len(frame)
                if size > _MOST_BYTES:
                    raise ConfigurationError(
                        f"{place} has more than {_MOST_BYTES >> 20} MiB of frames, which are held "
                        f"in memory: {_CUT}."
                    )
                frames.append(frame)
                times.append(time_ns if time_ns is not None else times[-1] if times else 0)
        if not frames:
            raise ConfigurationError(f"{place} has no frame to send. Choose another file.")
        due = np.maximum.accumulate(np.array(times, np.int64))
        return cls(
            place.name,
            b"".join(frames),
            np.array([len(frame) for frame in frames], np.uint32),
            (due - due[0]).astype(np.uint64),
        )


@contextmanager
def _opened(place: Path) -> Iterator[Any]:
    try:
        from scapy.error import Scapy_Exception  # noqa: PLC0415 - slow to import
        from scapy.utils import RawPcapReader  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"can't replay {os.fspath(place)!r}: it takes scapy, which can't be imported "
            f"({error}). `pip install scapy`."
        ) from error
    # What it warns of is a file that ends too early, of which the documentation speaks.
    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
    try:
        reader = RawPcapReader(os.fspath(place))
    except (Scapy_Exception, EOFError) as error:
        raise ConfigurationError(
            f"can't replay {os.fspath(place)!r}: it is no pcap or pcapng file. `editcap` reads "
            "others, and writes these."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"can't replay {os.fspath(place)!r}: {error.strerror}. Name a file that can be read."
        ) from error
    with reader:
        yield reader


def _frames(reader: Any, place: Path) -> Iterator[tuple[bytes, int | None]]:  # noqa: ANN401 - scapy's
    """Return each frame, and its time in ns where it has one."""
    for captured, about in reader:
        link = getattr(about, "linktype", None)  # of pcapng it is an interface's, else the file's
        if (reader.linktype if link is None else link) != _LINKTYPE_ETHERNET:
            raise ConfigurationError(
                f"can't replay {os.fspath(place)!r}: its frames are not Ethernet's. Capture on an "
                "Ethernet interface, not on `any`."
            )
        if len(captured) < getattr(about, "caplen", 0):
            return
        length = max(about.wirelen or 0, len(captured))
        if not _SHORTEST_FRAME <= length <= _LONGEST_FRAME:
            raise ConfigurationError(
                f"can't replay {os.fspath(place)!r}: it has a frame of {length:,} bytes, and they "
                f"must be {_SHORTEST_FRAME} to {_LONGEST_FRAME:,}. {_CUT[0].upper()}{_CUT[1:]}."
            )
        yield captured.ljust(length, b"\0"), _time_ns(reader, about)


def _time_ns(reader: Any, about: Any) -> int | None:  # noqa: ANN401 - as above
    if hasattr(about, "sec"):
        return int(about.sec * _NANOSECONDS + about.usec * (1 if reader.nano else 1000))
    if about.tshigh is None:  # a block without a time
        return None
    since_1970 = ((about.tshigh << 32) + about.tslow) * _NANOSECONDS // about.tsresol
    return min(int(since_1970), _LATEST_NS)
