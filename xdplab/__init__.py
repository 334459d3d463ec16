"""See, tune and teach the fast packet paths of Linux, live: XDP, AF_XDP and io_uring."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xdplab.capture.capture import Capture
from xdplab.configuration.groups import Memory, Sampling, Worker
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
    XdplabError,
)
from xdplab.engine.engine import ACTIONS, PATHS, WAIT_STRATEGIES, Engine, Verdicts
from xdplab.engine.traffic import Traffic
from xdplab.knobs.table import KNOBS
from xdplab.lab.lab import Lab
from xdplab.ledger.account import Account
from xdplab.ledger.ledger import Ledger
from xdplab.net.host import Host, PingResult
from xdplab.net.interface import Interface
from xdplab.net.stream import Stream
from xdplab.telemetry.region import Latency, Telemetry

if TYPE_CHECKING:
    __version__: str
    handler_signature: Any
    from xdplab.experiments.each import measure_each
    from xdplab.experiments.measure import measure
    from xdplab.experiments.metrics import METRICS
    from xdplab.experiments.sweep import Grid
    from xdplab.fields.addresses import address
    from xdplab.fields.table import FIELDS
    from xdplab.handlers.compiling import c_handler
    from xdplab.handlers.handler import Handler
    from xdplab.knobs.steering import Steering
    from xdplab.lab.loan import Loan
    from xdplab.lab.network import Network
    from xdplab.ledger.drops import DropReasons
    from xdplab.net.flow_rules import FlowRule
    from xdplab.settings.presets import PRESETS, apply_preset
    from xdplab.settings.undo import undo
    from xdplab.tuning.search import tune
    from xdplab.xdp.balancer.balancer import Balancer
    from xdplab.xdp.balancer.health import HealthChecks
    from xdplab.xdp.filter_rules import FilterRules
    from xdplab.xdp.gallery import GALLERY
    from xdplab.xdp.link import Link
    from xdplab.xdp.overlay import Overlay
    from xdplab.xdp.policy import Policy
    from xdplab.xdp.program import Program

__all__ = [
    "ACTIONS",
    "FIELDS",
    "GALLERY",
    "KNOBS",
    "METRICS",
    "PATHS",
    "PRESETS",
    "WAIT_STRATEGIES",
    "Account",
    "Balancer",
    "Capture",
    "ClosedError",
    "CompileError",
    "ConfigurationError",
    "DropReasons",
    "Engine",
    "FilterRules",
    "FlowRule",
    "Grid",
    "Handler",
    "HandlerError",
    "HealthChecks",
    "Host",
    "Interface",
    "InterfaceGoneError",
    "KernelError",
    "Lab",
    "Latency",
    "Ledger",
    "Link",
    "Loan",
    "Memory",
    "MissingKeyError",
    "Network",
    "Overlay",
    "PermissionRefusedError",
    "PingResult",
    "Policy",
    "Program",
    "QueueBusyError",
    "Sampling",
    "Steering",
    "Stream",
    "Telemetry",
    "TelemetryError",
    "Traffic",
    "Verdicts",
    "VerifierError",
    "Worker",
    "XdplabError",
    "address",
    "apply_preset",
    "c_handler",
    "measure",
    "measure_each",
    "tune",
    "undo",
]

# Imported when they are first asked for: a capture does without.
_LATER = {
    "Balancer": ("xdp.balancer.balancer", "Balancer"),
    "FIELDS": ("fields.table", "FIELDS"),
    "Handler": ("handlers.handler", "Handler"),
    "DropReasons": ("ledger.drops", "DropReasons"),
    "FilterRules": ("xdp.filter_rules", "FilterRules"),
    "FlowRule": ("net.flow_rules", "FlowRule"),
    "GALLERY": ("xdp.gallery", "GALLERY"),
    "Grid": ("experiments.sweep", "Grid"),
    "HealthChecks": ("xdp.balancer.health", "HealthChecks"),
    "Link": ("xdp.link", "Link"),
    "Loan": ("lab.loan", "Loan"),
    "Network": ("lab.network", "Network"),
    "METRICS": ("experiments.metrics", "METRICS"),
    "Overlay": ("xdp.overlay", "Overlay"),
    "PRESETS": ("settings.presets", "PRESETS"),
    "Policy": ("xdp.policy", "Policy"),
    "Program": ("xdp.program", "Program"),
    "Steering": ("knobs.steering", "Steering"),
    "address": ("fields.addresses", "address"),
    "apply_preset": ("settings.presets", "apply_preset"),
    "c_handler": ("handlers.compiling", "c_handler"),
    "measure": ("experiments.measure", "measure"),
    "measure_each": ("experiments.each", "measure_each"),
    "tune": ("tuning.search", "tune"),
    "undo": ("settings.undo", "undo"),
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        module, attribute = _LATER[name]
        return getattr(import_module(f"{__name__}.{module}"), attribute)
    if name == "handler_signature":
        return import_module(f"{__name__}.handlers.signature").signature()
    if name == "__version__":
        return import_module("importlib.metadata").version(__name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """Make `%%xdp` known, for `%load_ext xdplab`."""
    import_module(f"{__name__}.xdp.magic").register(shell)


def __dir__() -> list[str]:
    return [*__all__, "__version__", "handler_signature"]
