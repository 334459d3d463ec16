"""Who does here what takes privilege: this process, or a broker."""

from __future__ import annotations

from xdplab.backends import BACKENDS, KERNEL, Backend
from xdplab.core.errors import KernelError
from xdplab.doctor.finding import Finding, refused

BY_BROKER = (
    "Labs have it through the broker. A real interface must be lent: the broker is started with "
    "--interface and its name, and xdplab.Loan is given that name."
)


def real_backend() -> Backend:
    """Return the best backend that does not simulate, and can be used if one can."""
    real = (backend for backend in BACKENDS.values() if not backend.simulated)
    return next((backend for backend in real if not backend.refusal()), KERNEL)


def through_broker() -> bool:
    """Tell whether real labs are made here by another than this process."""
    return real_backend() is not KERNEL


def privilege_refused(name: str, error: KernelError) -> Finding:
    """Make a finding of what this process may not do, as far as nobody does it instead."""
    finding = refused(name, "missing", error)
    return Finding(name, "limited", finding.seen, BY_BROKER) if through_broker() else finding
