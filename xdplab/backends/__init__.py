"""Backends do all that needs privilege: in this process, by a broker, or simulated.

Another backend is one file, and one line of `BACKENDS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from xdplab.backends.backend import Backend
from xdplab.backends.broker.backend import BROKER
from xdplab.backends.kernel.backend import KERNEL
from xdplab.backends.soft.backend import SOFT
from xdplab.core.checks import choice
from xdplab.core.errors import PermissionRefusedError
from xdplab.net.namespace import Namespace

__all__ = [
    "BACKENDS",
    "BEST",
    "KERNEL",
    "VARIABLE",
    "Backend",
    "candidates",
    "expected",
    "make",
    "of",
]

Made = TypeVar("Made")

VARIABLE = "XDPLAB_BACKEND"
"""The environment variable that names a lab's backend, unless the call names one."""

BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {backend.name: backend for backend in (KERNEL, BROKER, SOFT)}
)
"""All of them by name, the best first."""

BEST = next(iter(BACKENDS))


def candidates(name: str | None) -> list[Backend]:
    """List the backends to try, in order: the named one, or all.

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


def make(
    tried: list[Backend], wanted: Callable[[Backend], Made]
) -> tuple[Backend, dict[str, str], Made]:
    """Make something with the first backend that can; return why no better one did, by name.

    Only a lack of privilege leads to the next: a simulation must not hide another failure.
    """
    refusals: dict[str, str] = {}
    for backend in tried[:-1]:
        if refusal := backend.refusal():
            refusals[backend.name] = refusal
            continue
        try:
            return backend, refusals, wanted(backend)
        except PermissionRefusedError as error:
            refusals[backend.name] = str(error)
    return tried[-1], refusals, wanted(tried[-1])


def of(namespace: Namespace) -> Backend:
    """Return the backend of a namespace."""
    return BACKENDS[namespace.backend_name]


def expected() -> Backend:
    """Return the backend that makes the next lab for which no backend is named."""
    tried = candidates(None)
    return next((backend for backend in tried[:-1] if not backend.refusal()), tried[-1])
