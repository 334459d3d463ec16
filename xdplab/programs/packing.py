"""Keys and values of maps, and global variables: from Python to bytes, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xdplab.core.checks import boolean, is_a, items, number, shown, whole
from xdplab.core.errors import ConfigurationError
from xdplab.programs.btf import MOST_BYTES
from xdplab.programs.dtypes import DType


def pack(dtype: DType, value: object, what: str) -> bytes:
    """Return the bytes of a value; those of padding are 0.

    Parameters
    ----------
    dtype
        The dtype to pack it as. A struct is given as a mapping of all members, as a tuple or list
        of them in order, or as a record; what is bytes in a dtype, as bytes of that length.
    what
        What it is, for an error.

    Raises
    ------
    ConfigurationError
        When it is of another type, or out of range.
    """
    room = bytearray(dtype.itemsize)
    _put(room, 0, dtype, value, what)
    return bytes(room)


def unpack(dtype: DType, data: bytes) -> Any:
    """Return the value in some bytes, which can be changed no more.

    It is an int, float, bool or bytes; a `Record` for a struct, an array for an array.
    """
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.frombuffer(data, base).reshape(shape)
    return plain(np.frombuffer(data, dtype, 1)[0])


def plain(value: Any) -> Any:
    """Return a scalar of numpy as one of Python's; a `Record` or an array stays."""
    if isinstance(value, np.void):
        return value if value.dtype.names else value.tobytes()
    return value.item() if isinstance(value, np.generic) else value


def hashable(value: Any) -> Any:
    """Return a key that can be a key of a dict: for an array, tuples."""
    return _tuples(value.tolist()) if isinstance(value, np.ndarray) else value


def words(dtype: DType) -> str:
    """Say in words what is a value of a dtype."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return f"{' x '.join(map(str, shape))} of: {words(base)}"
    if dtype.names:
        return f"a tuple or a mapping of {', '.join(dtype.names)}"
    if dtype.kind == "V":
        return f"{dtype.itemsize} bytes"
    return {"S": f"up to {dtype.itemsize} bytes", "b": "True or False", "f": "a number"}.get(
        dtype.kind, "a whole number"
    )


def _put(room: bytearray, offset: int, dtype: DType, value: object, what: str) -> None:
    if dtype.subdtype is not None:
        _put_array(room, offset, dtype, value, what)
    elif dtype.names:
        _put_struct(room, offset, dtype, value, what)
    else:
        room[offset : offset + dtype.itemsize] = _scalar(dtype, value, what)


def _put_array(room: bytearray, offset: int, dtype: DType, value: object, what: str) -> None:
    assert dtype.subdtype is not None
    base, shape = dtype.subdtype
    if is_a(value, np.ndarray) and value.dtype == base and value.shape == shape:
        room[offset : offset + dtype.itemsize] = value.tobytes()
        return
    # An array of bytes is given as bytes, too.
    if is_a(value, bytes) and len(value) == dtype.itemsize and base.kind in "uV":
        room[offset : offset + dtype.itemsize] = value
        return
    found = items(what, value, words(dtype), MOST_BYTES)
    if len(found) != shape[0]:
        raise ConfigurationError(f"{what}={shown(value)} must be {words(dtype)}.")
    inner = np.dtype((base, shape[1:])) if shape[1:] else base
    for place, each in enumerate(found):
        _put(room, offset + place * inner.itemsize, inner, each, f"{what}[{place}]")


def _put_struct(room: bytearray, offset: int, dtype: DType, value: object, what: str) -> None:
    names, fields = dtype.names, dtype.fields
    assert names is not None and fields is not None
    if is_a(value, np.void) and value.dtype == dtype:
        room[offset : offset + dtype.itemsize] = value.tobytes()
        return
    given = _members(value)
    if given is None or (not isinstance(given, Mapping) and len(given) != len(names)):
        raise ConfigurationError(f"{what}={shown(value)} must be {words(dtype)}.")
    by_name = given if isinstance(given, Mapping) else dict(zip(names, given, strict=True))
    if by_name.keys() != set(names):
        raise ConfigurationError(
            f"{what}={shown(value)} must have, and no more: {', '.join(names)}."
        )
    for name in names:
        inner, place = fields[name][:2]
        _put(room, offset + place, inner, by_name[name], f"{what}[{name!r}]")


def _members(value: object) -> Mapping[Any, Any] | Sequence[Any] | None:
    if is_a(value, np.void) and value.dtype.names:
        return {name: value[name] for name in value.dtype.names}
    try:
        if isinstance(value, Mapping):
            return dict(value)
        return list(value) if isinstance(value, tuple | list) else None
    except Exception:  # raised by the value
        return None


def _scalar(dtype: DType, value: object, what: str) -> bytes:
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        given = _single(value)
        return np.array(whole(what, given, int(bounds.min), int(bounds.max)), dtype).tobytes()
    if dtype.kind == "b":
        return bytes([boolean(what, value)])
    if dtype.kind == "f":
        found = number(_single(value))
        if math.isnan(found) and not is_a(value, float):  # not a number at all
            raise ConfigurationError(f"{what}={shown(value)} must be a number.")
        return np.array(found, dtype).tobytes()
    data = _bytes(value)
    longest = dtype.itemsize
    if data is None or len(data) > longest or (dtype.kind == "V" and len(data) != longest):
        raise ConfigurationError(f"{what}={shown(value)} must be {words(dtype)}.")
    return data.ljust(longest, b"\0")


def _single(value: object) -> object:
    """Return the value in an array of numpy's that is one value."""
    return value[()] if is_a(value, np.ndarray) and value.shape == () else value


def _bytes(value: object) -> bytes | None:
    if is_a(value, np.void):
        return value.tobytes()
    if is_a(value, bytes | bytearray):  # type: ignore[arg-type]
        return bytes(value)
    try:
        return str.encode(value) if is_a(value, str) else None
    except UnicodeEncodeError:
        return None


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
