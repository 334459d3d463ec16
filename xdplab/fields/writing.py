"""Writing a header field of many frames at once, with their checksums kept right."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.core.calls import public_function
from xdplab.core.checks import shown
from xdplab.core.errors import ConfigurationError
from xdplab.fields.addresses import EXAMPLES, parsed
from xdplab.fields.frames import area_of, frames_of, refuse_outside
from xdplab.fields.table import Field, field_of
from xdplab.native import ffi, lib


@public_function
def write(
    name: str, area: npt.NDArray[np.uint8], frames: npt.NDArray[Any], values: npt.ArrayLike
) -> int:
    """Write a field of every frame that has it.

    The checksums of IPv4, TCP, UDP, ICMP and ICMPv6 get the difference (RFC 1624): right ones stay
    right and wrong ones wrong. A UDP checksum of 0, which is none, stays.

    Parameters
    ----------
    name
        A name in `xdplab.FIELDS` that is writable.
    area, frames
        As `read` takes them.
    values
        One value for all frames, or one for each: numbers within the field's bits, and addresses
        also as text (``"198.18.0.1"``). A masked value leaves its frame as it is.

    Returns
    -------
    int
        How many frames were written. Those without such a header are left as they are.

    Raises
    ------
    ConfigurationError
        When there is no such field, it can't be written, a value is out of range or of another
        kind, an array is of another kind, or a frame is not within `area`: nothing was written.
    """
    field = field_of(name)
    if field.fixed:
        raise ConfigurationError(f"{field.name} can't be written: it is {field.fixed}.")
    memory, where = area_of(area), frames_of(frames)
    if not memory.flags.writeable:
        raise ConfigurationError(
            f"area can't be written to. Write {field.name} in a copy: area.copy()."
        )
    data, masked = _checked(field, values, len(where))
    done = lib.xdplab_field_write(
        field.index,
        ffi.from_buffer("uint8_t[]", memory, require_writable=True),
        memory.size,
        ffi.from_buffer("struct xdplab_frame[]", where),
        len(where),
        ffi.from_buffer(data),
        ffi.from_buffer("uint8_t[]", masked),
    )
    if done < 0:
        refuse_outside(memory, where, -1 - done)
    return int(done)


def _checked(
    field: Field, values: object, count: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return a value for each frame, in the field's dtype, and which are masked."""
    given = _array(field, values)
    masked = _spread(field, np.ma.getmaskarray(given), count)
    if field.shape:
        masked = np.logical_or.reduce(masked, axis=1)
    data = _spread(field, np.ma.getdata(given), count)
    used = data[~masked]
    if used.size and data.dtype.kind not in "ui":
        raise ConfigurationError(f"values={shown(values)} must be {_wanted(field)}.")
    most = (1 << min(field.bits, 8 * field.dtype.itemsize)) - 1
    if used.size and not 0 <= int(used.min()) <= int(used.max()) <= most:
        wrong = int(used.min()) if used.min() < 0 else int(used.max())
        raise ConfigurationError(
            f"values={shown(values)} must be {_wanted(field)}: {wrong} is out of range."
        )
    plain = np.zeros(data.shape, field.dtype)
    plain[~masked] = used
    return plain, np.ascontiguousarray(masked)


def _array(field: Field, values: object) -> npt.NDArray[Any]:
    """Return the values as an array, addresses in text as numbers."""
    try:
        given = np.asanyarray(values)
        if given.dtype.kind != "U":
            return given
        found = [_address(field, text) for text in given.ravel().tolist()]
    except ConfigurationError:
        raise
    except Exception:  # raised by the values, or ValueError for lists of unequal lengths
        raise ConfigurationError(f"values={shown(values)} must be {_wanted(field)}.") from None
    mask = np.ma.getmaskarray(given)
    if field.shape:
        mask = np.repeat(mask[..., None], 16, axis=-1)
    return np.ma.MaskedArray(np.array(found).reshape((*given.shape, *field.shape)), mask=mask)


def _address(field: Field, text: str) -> Any:
    kind, value = parsed("values", text) if field.kind != "number" else ("text", None)
    if kind != field.kind:
        raise ConfigurationError(f"values={shown(text)} must be {_wanted(field)}.")
    return value


def _spread(field: Field, array: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    try:
        return np.broadcast_to(array, (count, *field.shape))
    except ValueError:
        raise ConfigurationError(
            f"values has the shape {array.shape}, and there are {count} frames: give one value for "
            f"all, or one for each."
        ) from None


def _wanted(field: Field) -> str:
    if field.kind == "ipv6":
        return f"IPv6 addresses for {field.name}: text such as {EXAMPLES['ipv6']}, or 16 bytes each"
    numbers = f"whole numbers, 0 to {(1 << field.bits) - 1}, for {field.name}"
    if field.kind == "number":
        return numbers
    return f"{numbers}, or addresses in text such as {EXAMPLES[field.kind]}"
