"""The ledger: where every packet went, from the generator to the worker.

```
sent by the generator ──▶ wire ──▶ device ──▶ XDP program ──▶ RX ring ──▶ worker
                           │ wire full          │ to the stack   │ RX ring full
                           ▼                    ▼                ▼ no fill descriptor, too long
```

Each station counts for itself: the generator's program, the sender's and the receiver's driver,
the capture program, the socket (XDP_STATISTICS) and the worker. The ledger holds their counts
against each other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xdplab.engine import Engine
from xdplab.traffic import Traffic

_SETTLE_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.005
_WAITING = "waiting in the RX ring"


@dataclass(frozen=True)
class Stage:
    """One line of a ledger."""

    stage: str
    packets: int
    lost: bool = False


@dataclass(frozen=True)
class Account:
    """A ledger read at one moment.

    Parameters
    ----------
    stages
        In the order in which a packet meets them.
    unaccounted
        Packets that one station counted and the next did not: in flight while packets flow, and 0
        once they have drained. Never left out.
    """

    stages: tuple[Stage, ...]
    unaccounted: int

    @property
    def balanced(self) -> bool:
        """Whether the ledger adds up."""
        return self.unaccounted == 0

    def packets(self, stage: str) -> int:
        """Packets of one stage; KeyError where the ledger has none of that name."""
        return {line.stage: line.packets for line in self.stages}[stage]

    def as_list(self) -> list[dict[str, str | int]]:
        """Return the lines for JSON; what is unaccounted for is the last."""
        lines: list[dict[str, str | int]] = [
            {"stage": line.stage, "packets": line.packets} for line in self.stages
        ]
        return [*lines, {"stage": "unaccounted", "packets": self.unaccounted}]

    def __str__(self) -> str:
        lines = [(f"- {s.stage}" if s.lost else s.stage, s.packets) for s in self.stages]
        lines.append(("unaccounted", self.unaccounted))
        return "\n".join(f"{name:<32}{packets:>16,}" for name, packets in lines)


class Ledger:
    """Holds the stations' counts against each other, from now on.

    Make it before the traffic starts.

    Parameters
    ----------
    engine
        The capture.
    traffic
        The generator, where there is one: without it the ledger begins at the device.
    """

    def __init__(self, engine: Engine, traffic: Traffic | None = None) -> None:
        self._engine, self._traffic = engine, traffic
        deadline = time.monotonic() + _SETTLE_SECONDS
        self._baseline = self._counts()
        while self._baseline["waiting"] and time.monotonic() < deadline:
            self._baseline = self._counts()

    def read(self) -> Account:
        """Read all stations now. They are read one after the other, so packets may be in flight."""
        counts = {name: count - self._baseline[name] for name, count in self._counts().items()}
        stages: list[Stage] = []
        gaps = 0
        if "sent" in counts:
            stages += [
                Stage("sent by the generator", counts["sent"]),
                Stage("wire full", counts["wire full"], lost=True),
                # Whatever the device saw beyond the generator's frames came from the peer's stack.
                Stage("sent by others", max(counts["device"] - counts["wire"], 0)),
            ]
            gaps += abs(counts["sent"] - counts["wire"] - counts["wire full"])
            gaps += max(counts["wire"] - counts["device"], 0)
        seen = counts["redirected"] + counts["passed"] + counts["no socket"]
        if "device" in counts:
            stages.append(Stage("seen by the device", counts["device"]))
            gaps += abs(counts["device"] - seen)
        lost = counts["RX ring full"] + counts["dropped"] + counts["invalid"]
        # A missing fill descriptor counts twice: here and in what was dropped.
        starved = min(counts["no fill descriptor"], counts["dropped"])
        stages += [
            Stage("left to the stack", counts["passed"]),
            Stage("no socket on the queue", counts["no socket"], lost=True),
            Stage("redirected to the socket", counts["redirected"]),
            Stage("RX ring full", counts["RX ring full"], lost=True),
            Stage("no fill descriptor", starved, lost=True),
            Stage("longer than a UMEM frame", counts["dropped"] - starved, lost=True),
            Stage("invalid fill descriptor", counts["invalid"], lost=True),
            Stage(_WAITING, counts["waiting"]),
            Stage("received by the worker", counts["received"]),
        ]
        gaps += abs(counts["redirected"] - lost - counts["waiting"] - counts["received"])
        return Account(tuple(stages), gaps)

    def settle(self, timeout: float = _SETTLE_SECONDS) -> Account:
        """Read until the packets in flight have arrived, at most for `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            account = self.read()
            if account.balanced and not account.packets(_WAITING):
                return account
        return self.read()

    def _counts(self) -> dict[str, int]:
        """Read every station, the sender's first, so that what is in flight is never negative."""
        counts: dict[str, int] = {}
        port = self._engine.interface
        if self._traffic is not None:
            sender = self._traffic.sender.interface
            counts["sent"] = self._traffic.sent
            driver = sender.driver_statistics()
            counts["wire full"] = _total(driver, "tx_queue_", "_xdp_xmit_errors")
            counts["wire"] = _total(driver, "tx_queue_", "_xdp_xmit")
        # Other drivers count what XDP took in ways of their own, and a veth counts it for a program
        # in SKB mode only where it has NAPI, as in a lab.
        if port.driver == "veth" and (self._engine.attach == "native" or self._traffic is not None):
            counts["device"] = _total(port.driver_statistics(), "rx_queue_", "_xdp_packets")
        verdicts = self._engine.verdicts()
        counters = self._fresh_counters()
        return counts | {
            "redirected": verdicts.redirected,
            "passed": verdicts.passed,
            "no socket": verdicts.no_socket,
            "RX ring full": int(counters["rx_ring_full"]),
            "dropped": int(counters["rx_dropped"]),
            "no fill descriptor": int(counters["rx_fill_ring_empty_descs"]),
            "invalid": int(counters["rx_invalid_descs"]),
            "waiting": int(counters["rx_producer"]) - int(counters["rx_consumer"]),
            "received": int(counters["rx_packets"]),
        }

    def _fresh_counters(self) -> Any:  # noqa: ANN401 - a structured scalar
        """Wait for a record that was written from now on: the worker's last may be 10 ms old."""
        now, deadline = time.monotonic_ns(), time.monotonic() + _SETTLE_SECONDS
        while True:
            counters = self._engine.telemetry.counters()
            if (
                counters["time_ns"] >= now
                or not self._engine.running
                or time.monotonic() > deadline
            ):
                return counters
            time.sleep(_LOOK_AGAIN_SECONDS)


def _total(statistics: Mapping[str, int], start: str, end: str) -> int:
    return sum(
        count for name, count in statistics.items() if name.startswith(start) and name.endswith(end)
    )
