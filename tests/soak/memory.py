"""A program that receives as fast as packets come: what memory it takes of its own, over time."""

from __future__ import annotations

import re
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soak.rounds import UnbalancedError
from xdplab import Capture, Lab, Traffic
from xdplab.capture.batch import Batch

_KEEP_EVERY, _COPY_EVERY = 16, 64
_KEPT = 8


@dataclass(frozen=True)
class Looks:
    """What was seen at equal intervals."""

    packets: int
    """Received in all."""
    seconds: float
    anonymous: list[int]
    """RssAnon of the process, KiB."""

    @property
    def growth(self) -> int:
        """KiB by which the last look is above the first."""
        return self.anonymous[-1] - self.anonymous[0]

    def __str__(self) -> str:
        return (
            f"{self.packets:,} packets in {self.seconds:,.0f} s ({self.packets / self.seconds:,.0f}"
            f" a second); RssAnon in {len(self.anonymous)} looks: {self.anonymous[0]:,} KiB at "
            f"first, {min(self.anonymous):,} to {max(self.anonymous):,}, "
            f"{self.anonymous[-1]:,} at last"
        )


def run(seconds: float, looks: int) -> Looks:
    """Receive for some time, after a tenth of it that does not count.

    Raises
    ------
    UnbalancedError
        When the ledger does not add up.
    """
    with (
        Lab() as lab,
        Capture(lab.port, batch=256) as capture,
        closing(Traffic(lab.peer, lab.port)) as traffic,
    ):
        ledger = capture.ledger(traffic)
        traffic.start()
        program = _Program()
        program.receive(capture, seconds / 10)
        anonymous = [_anonymous()]
        begun = time.monotonic()
        for _ in range(looks):
            program.receive(capture, seconds / looks)
            anonymous.append(_anonymous())
        lasted = time.monotonic() - begun
        traffic.stop()
        while len(capture.recv(timeout=0.1)):
            pass
        account = ledger.settle()
        if account.unaccounted:
            raise UnbalancedError(f"{account}")
        return Looks(program.packets, lasted, anonymous)


class _Program:
    """Reads a field of each batch; holds on to some batches for a while, and copies some."""

    def __init__(self) -> None:
        self.packets = self._batches = 0
        self._kept: deque[Batch] = deque(maxlen=_KEPT)

    def receive(self, capture: Capture, seconds: float) -> None:
        until = time.monotonic() + seconds
        for batch in capture:
            self._take(batch)
            if time.monotonic() > until:
                return

    def _take(self, batch: Batch) -> None:
        self.packets += len(batch)
        self._batches += 1
        np.ma.getdata(batch["udp.dport"]).sum()
        if not self._batches % _COPY_EVERY:
            bytes(batch.copy()[0])
        if not self._batches % _KEEP_EVERY:
            self._kept.append(batch[: len(batch) // 2].keep())


def _anonymous() -> int:
    """Read RssAnon, in KiB; RSS counts the telemetry region, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1])
