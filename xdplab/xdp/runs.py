"""What an XDP program does to frames that never were on a wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from xdplab.core.checks import is_a, items, shown, whole
from xdplab.core.errors import ConfigurationError
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.programs.running import LONGEST, SHORTEST, Ran

VERDICTS = ("ABORTED", "DROP", "PASS", "TX", "REDIRECT")
"""Names of ``enum xdp_action`` (linux/bpf.h), by number."""

_MOST = 100_000  # frames
_WANTED = "frames as bytes"


class ProgramRun(NamedTuple):
    """What a program did to one frame."""

    verdict: str
    """One of ``ABORTED``, ``DROP``, ``PASS``, ``TX``, ``REDIRECT``; the number, where the program
    returned another one, which a driver takes for ``ABORTED``."""
    output: bytes
    """The frame as the program left it."""
    nanoseconds: int
    """Mean time of a run, measured by the kernel."""


class ProgramRuns(Tabled):
    """What a program did to frames. Made by `Program.test_run`.

    ``runs[3]`` is what became of the fourth frame, a `ProgramRun`; iteration gives them in turn.
    """

    def __init__(self, ran: Sequence[Ran], lengths: Sequence[int]) -> None:
        self._runs = [ProgramRun(_named(one.verdict), *one[1:]) for one in ran]
        self._given = lengths

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, number: int) -> ProgramRun: ...
    @overload
    def __getitem__(self, number: slice) -> list[ProgramRun]: ...
    def __getitem__(self, number: int | slice) -> ProgramRun | list[ProgramRun]:
        if is_a(number, slice):
            return self._runs[number]
        most = len(self._runs)
        return self._runs[whole("number", number, -most, max(most - 1, 0))]

    def __iter__(self) -> Iterator[ProgramRun]:
        return iter(self._runs)

    @property
    def verdicts(self) -> npt.NDArray[np.str_]:
        """The verdict on each frame, shape (n,), such as ``"DROP"``."""
        return np.array([run.verdict for run in self._runs], np.str_)

    @property
    def outputs(self) -> list[bytes]:
        """Each frame as the program left it."""
        return [run.output for run in self._runs]

    @property
    def lengths(self) -> npt.NDArray[np.uint32]:
        """Bytes of each frame as the program left it, shape (n,), uint32."""
        return np.array([len(run.output) for run in self._runs], np.uint32)

    @property
    def nanoseconds(self) -> npt.NDArray[np.uint32]:
        """Mean time of a run on each frame, shape (n,), uint32, in ns."""
        return np.array([run.nanoseconds for run in self._runs], np.uint32)

    def _table(self) -> Table:
        rows = [
            (f"{number:,}", run.verdict, f"{given:,}", f"{len(run.output):,}", f"{run[2]:,}")
            for number, (run, given) in enumerate(zip(self._runs, self._given, strict=True))
        ]
        headings = ("frame", "verdict", "bytes in", "bytes out", "ns a run")
        return Table(self._brief()[1:-1], rows, headings if rows else ())

    def _brief(self) -> str:
        each = Counter(run.verdict for run in self._runs)
        verdicts = ", ".join(f"{number:,} {name}" for name, number in each.items())
        return f"<Runs on {counted(len(self), 'frame')}{verdicts and f': {verdicts}'}>"


def frames_of(frames: object) -> list[bytes]:
    """Return frames that a user gives, as `Program.test_run` takes them.

    Raises
    ------
    ConfigurationError
        For what is no frame; for one that is too short or too long, by its place.
    """
    found = _as_bytes(frames)
    taken = [found] if found is not None else _each(frames)
    for number, frame in enumerate(taken):
        if not SHORTEST <= len(frame) <= LONGEST:
            raise ConfigurationError(
                f"frames[{number}] has {len(frame):,} bytes: a frame has {SHORTEST} (its Ethernet "
                f"header) to {LONGEST:,}."
            )
    return taken


def _each(frames: object) -> list[bytes]:
    if is_a(frames, np.ndarray) and (frames.ndim != 2 or frames.dtype != np.uint8):
        raise ConfigurationError(
            f"frames is an array of {frames.dtype} with {frames.ndim} dimensions. Give an array of "
            "uint8, of shape (bytes,) or (n, bytes)."
        )
    taken = []
    for number, frame in enumerate(items("frames", frames, _WANTED, _MOST)):
        found = _as_bytes(frame)
        if found is None:
            raise ConfigurationError(f"frames[{number}]={shown(frame)} is not a frame as bytes.")
        taken.append(found)
    return taken


def _as_bytes(frame: Any) -> bytes | None:
    """Return the bytes of one frame, also of a packet of scapy's; None for what is none."""
    try:
        view = memoryview(frame)
    except Exception:  # raised by the frame, or TypeError where it has no buffer
        return _of_scapy(frame)
    return view.tobytes() if view.ndim == 1 and view.itemsize == 1 else None


def _of_scapy(frame: Any) -> bytes | None:
    try:
        # A packet of scapy's can be iterated over, too.
        return bytes(frame) if hasattr(type(frame), "__bytes__") else None
    except Exception:  # raised by the frame, which scapy may be unable to build
        return None


def _named(verdict: int) -> str:
    return VERDICTS[verdict] if verdict < len(VERDICTS) else str(verdict)
