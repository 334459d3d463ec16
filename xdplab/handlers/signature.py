"""The signature of a handler, which ``xdplab/include/xdplab_handler.h`` defines."""

from __future__ import annotations

import functools
from importlib import import_module
from pathlib import Path
from typing import Any

from xdplab.core.errors import ConfigurationError
from xdplab.native import ffi
from xdplab.native.records import dtype_of

INCLUDE = Path(__file__).parent.parent / "include"
"""The folder with the header."""

HEADER = "xdplab_handler.h"
C_SIGNATURE = "uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)"

PACKET = dtype_of(ffi.typeof("struct xdplab_packet"))
"""What a handler is told of a packet, beside its bytes: ``time_ns`` (CLOCK_MONOTONIC), ``length``,
which it may set, ``room``, ``total``, ``queue`` and ``worker``."""


@functools.cache
def signature() -> Any:
    """Return the signature for ``numba.cfunc``.

    Returns
    -------
    numba.core.typing.templates.Signature
        Of a function of the packet's bytes (a pointer to uint8), what is told of it (a pointer to a
        `PACKET`), and the state (a pointer, None where there is none), that returns a verdict.

    Raises
    ------
    ConfigurationError
        When numba is missing.
    """
    try:
        numba = import_module("numba")
    except ImportError as error:
        raise ConfigurationError(
            f"a handler in Python is compiled by numba, which can't be imported ({error}): "
            "pip install numba. xdplab.c_handler takes C."
        ) from error
    types = numba.types
    packet = types.CPointer(numba.from_dtype(PACKET))
    return types.uint32(types.CPointer(types.uint8), packet, types.voidptr)
