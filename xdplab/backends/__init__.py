"""Who does what needs privilege: this process, a broker, or nobody, in a simulation.

Another backend is one file, and one line of `BACKENDS`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

from xdplab.backends.backend import Backend
from xdplab.backends.broker.backend import BROKER
from xdplab.backends.kernel.backend import KERNEL
from xdplab.backends.soft.backend import SOFT
from xdplab.core.checks import choice
from xdplab.net.namespace import Namespace

__all__ = ["BACKENDS", "BEST", "KERNEL", "VARIABLE", "Backend", "candidates", "expected", "of"]

VARIABLE = "XDPLAB_BACKEND"
"""The environment variable that names a lab's backend, where its maker does not."""

BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {backend.name: backend for backend in (KERNEL, BROKER, SOFT)}
)
"""All of them by name, the best first."""

BEST = next(iter(BACKENDS))


def candidates(name: str | None) -> list[Backend]:
    """List the backends to be tried, in that order: the one that is named, or all.

    Parameters
    ----------
    name
        One of `BACKENDS`; None asks the environment variable XDPLAB_BACKEND.

    Raises
    ------
    ConfigurationError
        When there is none of that name.
    """
    named = name if name is not None else os.environ.get(VARIABLE) or None
    if named is None:
        return list(BACKENDS.values())
    return [BACKENDS[choice("backend" if name is not None else VARIABLE, named, BACKENDS)]]


def of(namespace: Namespace) -> Backend:
    """Return who does in a namespace what takes a privilege."""
    return BACKENDS[namespace.backend_name]


def expected() -> Backend:
    """Return the backend that makes the next lab of which nobody says who is to make it."""
    tried = candidates(None)
    return next((backend for backend in tried[:-1] if not backend.refusal()), tried[-1])
