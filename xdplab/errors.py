"""The exceptions that the package raises, for `from xdplab.core.errors import ...`."""

from xdplab.core.errors import (
    ClosedError,
    ConfigurationError,
    HandlerError,
    InterfaceGoneError,
    KernelError,
    MissingKeyError,
    PermissionRefusedError,
    QueueBusyError,
    TelemetryError,
    WrongCallError,
    XdplabError,
)

__all__ = [
    "ClosedError",
    "ConfigurationError",
    "HandlerError",
    "InterfaceGoneError",
    "KernelError",
    "MissingKeyError",
    "PermissionRefusedError",
    "QueueBusyError",
    "TelemetryError",
    "WrongCallError",
    "XdplabError",
]
