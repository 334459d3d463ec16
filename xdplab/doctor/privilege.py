"""Who does privileged work here: this process, or a broker."""

from __future__ import annotations

from xdplab.backends import BACKENDS, KERNEL, Backend
from xdplab.core.errors import KernelError
from xdplab.doctor.finding import Finding, refused

BY_BROKER = (
    "Labs have it through the broker. A real interface must be lent: its name is given to the "
    "broker, with --interface, and to xdplab.Loan."
)


def real_backend() -> Backend:
    """Return the best backend that does not simulate, if possible one that can be used here."""
    real = (backend for backend in BACKENDS.values() if not backend.simulated)
    return next((backend for backend in real if not backend.refusal()), KERNEL)


def through_broker() -> bool:
    """Return whether another process makes the real labs here."""
    return real_backend() is not KERNEL


def privilege_refused(name: str, error: KernelError) -> Finding:
    """Return a finding for a refused action, unless a broker does it for this process."""
    finding = refused(name, "missing", error)
    return Finding(name, "limited", finding.seen, BY_BROKER) if through_broker() else finding
