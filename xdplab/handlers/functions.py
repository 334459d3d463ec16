"""Functions that can be handlers: their addresses, and whether their types are right."""

from __future__ import annotations

import ctypes
import sys
from importlib import import_module
from typing import Any

from xdplab.core.checks import is_a, shown
from xdplab.core.errors import ConfigurationError
from xdplab.handlers.signature import C_SIGNATURE, signature
from xdplab.native import ffi

_FUNCTION = ctypes.CFUNCTYPE(None).__mro__[1]
_POINTER = ctypes.POINTER(ctypes.c_int).__mro__[1]
_BYTES = (ctypes.c_uint8, ctypes.c_int8, ctypes.c_char)
_NUMBA = "@numba.cfunc(xdplab.handler_signature)"
CTYPES_SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_uint32, *[ctypes.c_void_p] * 3)
"""The type of a handler for ctypes."""
_CTYPES = "ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)"


def address_of(function: object) -> tuple[str, int]:
    """Return what a function was made by, and its address.

    Parameters
    ----------
    function
        A ``numba.cfunc``, or a function pointer of ctypes or cffi.

    Raises
    ------
    ConfigurationError
        When it is none of these, or of other types than a handler's.
    """
    if is_a(function, ffi.CData):
        return "cffi", _of_cffi(function)
    if is_a(function, _FUNCTION):
        return "ctypes", _of_ctypes(function)
    if _is_of_numba(function, "ccallback", "CFunc"):
        return "numba", _of_numba(function)
    raise ConfigurationError(_refusal(function))


def _is_of_numba(function: object, module: str, name: str) -> bool:
    """Tell whether it is an object of a class of numba's, whose module is imported then."""
    kind = getattr(sys.modules.get(f"numba.core.{module}"), name, None)
    return kind is not None and is_a(function, kind)


def _refusal(function: object) -> str:
    if _is_of_numba(function, "dispatcher", "Dispatcher"):
        return (
            f"handler={shown(function)} is compiled by numba for calls from Python. For calls from "
            f"C, put {_NUMBA} in front of it in place of @numba.njit."
        )
    if callable(function):
        return (
            f"handler={shown(function)} is a function in Python, and a handler is called for each "
            f"packet by a thread without Python. Put {_NUMBA} in front of it, which compiles it; "
            "or write it in C, xdplab.c_handler(source). A Capture gives packets to Python by the "
            "batch: capture.on_batch(function)."
        )
    return (
        f"handler={shown(function)} must be a handler: xdplab.c_handler(source), a function with "
        f"{_NUMBA} in front of it, a function pointer of ctypes or cffi, an xdplab.Handler of one "
        "of these with a state, or None."
    )


def _of_numba(function: Any) -> int:
    types = import_module("numba").types
    wanted, given = signature(), function._sig
    places = zip(given.args, wanted.args, (False, False, True), strict=False)
    fits = (
        given.return_type in (types.uint32, types.int32)
        and len(given.args) == len(wanted.args)
        and all(
            arg in (want, types.voidptr) or (any_pointer and isinstance(arg, types.CPointer))
            for arg, want, any_pointer in places
        )
    )
    if not fits:
        raise ConfigurationError(
            f"handler={shown(function)} has the signature {given}. A handler's is "
            f"xdplab.handler_signature: {_NUMBA}."
        )
    return int(function.address)


def _of_ctypes(function: Any) -> int:
    arguments, result = function.argtypes, function.restype
    pointers = [_pointee(each) for each in arguments or ()]
    fits = (
        len(pointers) == 3
        and None not in pointers
        and (pointers[0] is ctypes.c_void_p or pointers[0] in _BYTES)
        and result in (ctypes.c_uint32, ctypes.c_int32)
    )
    if not fits:
        raise ConfigurationError(
            f"handler={shown(function)} is a function pointer of other types than a handler's. "
            f"Make it of {_CTYPES}; or, of one that a library has, set argtypes and restype so. "
            f"In C it is: {C_SIGNATURE}."
        )
    return _there(function, ctypes.cast(function, ctypes.c_void_p).value or 0)


def _pointee(kind: Any) -> Any:
    """Return what a type of ctypes points to, c_void_p for anything, None for no pointer."""
    if kind is ctypes.c_void_p:
        return kind
    if kind is ctypes.c_char_p:
        return ctypes.c_char
    return getattr(kind, "_type_", None) if issubclass(kind, _POINTER) else None


def _of_cffi(function: Any) -> int:
    kind = ffi.typeof(function)
    fits = kind.kind == "function" and (
        len(kind.args) == 3
        and all(each.kind == "pointer" for each in kind.args)
        and kind.args[0].item.cname in ("uint8_t", "unsigned char", "char", "void")
        and (kind.result.kind == "enum" or kind.result.cname in ("uint32_t", "unsigned int", "int"))
    )
    if not fits:
        raise ConfigurationError(
            f"handler={shown(function)} is a {kind.cname}. A handler is a function pointer: "
            f"{C_SIGNATURE}."
        )
    return _there(function, int(ffi.cast("uintptr_t", function)))


def _there(function: object, address: int) -> int:
    if not address:
        raise ConfigurationError(f"handler={shown(function)} points to no function: it is NULL.")
    return address
