"""See, tune and teach the fast packet paths of Linux, live: XDP, AF_XDP and io_uring."""

from typing import TYPE_CHECKING, Any

from xdplab.account import Account
from xdplab.engine import ACTIONS, PATHS, WAIT_STRATEGIES, Engine, Verdicts
from xdplab.errors import (
    ClosedError,
    ConfigurationError,
    InterfaceGoneError,
    KernelError,
    PermissionRefusedError,
    QueueBusyError,
    TelemetryError,
    XdplabError,
)
from xdplab.host import Host, PingResult
from xdplab.interface import Interface
from xdplab.lab import Lab
from xdplab.ledger import Ledger
from xdplab.stream import Stream
from xdplab.telemetry import Latency, Telemetry
from xdplab.traffic import Traffic

if TYPE_CHECKING:
    from xdplab.tuning.search import tune

__all__ = [
    "ACTIONS",
    "PATHS",
    "WAIT_STRATEGIES",
    "Account",
    "ClosedError",
    "ConfigurationError",
    "Engine",
    "Host",
    "Interface",
    "InterfaceGoneError",
    "KernelError",
    "Lab",
    "Latency",
    "Ledger",
    "PermissionRefusedError",
    "PingResult",
    "QueueBusyError",
    "Stream",
    "Telemetry",
    "TelemetryError",
    "Traffic",
    "Verdicts",
    "XdplabError",
    "tune",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever has the name
    if name == "tune":
        from xdplab.tuning.search import tune  # noqa: PLC0415 - what a capture does without

        return tune
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
