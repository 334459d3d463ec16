"""The exceptions that the package raises, for `from xdplab.core.errors import ...`."""

from xdplab.core.errors import (
    ClosedError,
    CompileError,
    ConfigurationError,
    HandlerError,
    InterfaceGoneError,
    KernelError,
    MissingKeyError,
    PermissionRefusedError,
    QueueBusyError,
    TelemetryError,
    VerifierError,
    WrongCallError,
    XdplabError,
)

__all__ = [
    "ClosedError",
    "CompileError",
    "ConfigurationError",
    "HandlerError",
    "InterfaceGoneError",
    "KernelError",
    "MissingKeyError",
    "PermissionRefusedError",
    "QueueBusyError",
    "TelemetryError",
    "VerifierError",
    "WrongCallError",
    "XdplabError",
]
