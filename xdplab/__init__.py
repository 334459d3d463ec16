"""See, tune and teach the fast packet paths of Linux, live: XDP, AF_XDP and io_uring."""

from xdplab.engine import ACTIONS, PATHS, WAIT_STRATEGIES, Engine, Verdicts
from xdplab.errors import (
    ClosedError,
    ConfigurationError,
    InterfaceGoneError,
    KernelError,
    PermissionRefusedError,
    QueueBusyError,
    XdplabError,
)
from xdplab.host import Host, PingResult
from xdplab.interface import Interface
from xdplab.lab import Lab
from xdplab.ledger import Account, Ledger
from xdplab.stream import Stream
from xdplab.telemetry import Latency, Telemetry
from xdplab.traffic import Traffic

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
    "Traffic",
    "Verdicts",
    "XdplabError",
]
