"""`xdplab capture --write` as a receiver: a `Capture` whose packets are written to a file."""

from __future__ import annotations

from contextlib import suppress

from xdplab.bench.python_program import PythonProgram
from xdplab.bench.temporary_folder import temporary_folder
from xdplab.capture.capture import Capture
from xdplab.capture.recorder import BATCH, RING_SIZE, Recorder, record
from xdplab.core.errors import ClosedError


class RecordingProgram(PythonProgram):
    """Receives a run's traffic, and writes it to a file, which is removed.

    Parameters
    ----------
    wait
        As for `Capture`.
    """

    NAME = "capture --write"
    RING_SIZE = RING_SIZE

    def __init__(self, wait: str) -> None:
        super().__init__(self.NAME, _write, wait, BATCH)


def _write(capture: Capture) -> None:
    with temporary_folder("xdplab-recorded-") as folder:
        recorder = Recorder(folder / "packets.pcapng")
        with suppress(ClosedError):
            record(capture, recorder, None, None, lambda: None)
        recorder.close()
