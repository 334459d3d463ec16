"""Writing a header field of many frames at once, with their checksums kept right."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.core.calls import public_function
from xdplab.core.checks import choice, shown
from xdplab.core.errors import ConfigurationError
from xdplab.core.text import counted
from xdplab.fields.addresses import EXAMPLES, parsed
from xdplab.fields.frames import area_to_write, frames_of, refuse_outside
from xdplab.fields.table import FIELDS, Field, field_of
from xdplab.native import ffi, lib


@public_function
def write(
    field: str, area: npt.NDArray[np.uint8], frames: npt.NDArray[Any], values: npt.ArrayLike
) -> int:
    """Write a field of every frame that has it.

    The checksums of IPv4, TCP, UDP, ICMP and ICMPv6 get the difference (RFC 1624): right ones stay
    right and wrong ones wrong. A UDP checksum of 0, which is none, stays.

    Parameters
    ----------
    field
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
    found = field_of(field)
    if found.fixed:
        raise ConfigurationError(
            f"field={field!r} can't be written: {found.fixed}. Make such frames anew, with scapy "
            "for example."
        )
    memory, where = area_to_write(area), frames_of(frames)
    data, masked = _checked(found, values, len(where))
    done = lib.xdplab_field_write(
        found.index,
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


@public_function
def swap(header: str, area: npt.NDArray[np.uint8], frames: npt.NDArray[Any]) -> int:
    """Exchange source and destination in a header of every frame that has it.

    Checksums stay right.

    Parameters
    ----------
    header
        ``"eth"``, ``"ipv4"``, ``"ipv6"``, ``"udp"`` or ``"tcp"``.
    area, frames
        As `write` takes them.

    Returns
    -------
    int
        How many frames were changed.

    Raises
    ------
    ConfigurationError
        When there is no such header, an array is of another kind, or a frame is not within `area`:
        nothing was changed.
    """
    source, destination = _ENDS[choice("header", header, _ENDS)]
    memory, where = area_to_write(area), frames_of(frames)
    done = lib.xdplab_field_swap(
        source.index,
        destination.index,
        ffi.from_buffer("uint8_t[]", memory, require_writable=True),
        memory.size,
        ffi.from_buffer("struct xdplab_frame[]", where),
        len(where),
    )
    if done < 0:
        refuse_outside(memory, where, -1 - done)
    return int(done)


_ENDS = {
    name.partition(".")[0]: (FIELDS[name], FIELDS[name.replace("src", "dst").replace(".s", ".d")])
    for name in FIELDS
    if name.endswith((".src", ".sport"))
}
"""Source and destination, by header."""


def _checked(
    field: Field, values: object, count: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return a value for each frame, in the field's dtype, and which are masked."""
    given = _array(field, values)
    if field.shape and given.shape[-1:] != field.shape and given is not np.ma.masked:
        raise ConfigurationError(f"values={shown(values)} must be {_wanted(field)}.")
    data = used = _spread(field, np.ma.getdata(given), count)
    masked = np.zeros(count, np.bool_)
    if np.ma.isMaskedArray(given):
        mask = _spread(field, np.ma.getmaskarray(given), count)
        masked = np.logical_or.reduce(mask, axis=1) if field.shape else np.array(mask)
        used = data[~masked]
    if not used.size:
        return np.zeros(data.shape, field.dtype), masked
    if data.dtype.kind not in "ui":
        raise ConfigurationError(f"values={shown(values)} must be {_wanted(field)}.")
    most = (1 << min(field.bits, 8 * field.dtype.itemsize)) - 1
    if data.dtype != field.dtype or most < np.iinfo(field.dtype).max:
        least_used, most_used = int(used.min()), int(used.max())
        if least_used < 0 or most_used > most:
            wrong = least_used if least_used < 0 else most_used
            raise ConfigurationError(
                f"values={shown(values)} must be {_wanted(field)}: {wrong} is out of range."
            )
    return data.astype(field.dtype, order="C"), masked


def _array(field: Field, values: object) -> npt.NDArray[Any]:
    """Return the values as an array, addresses in text as the field holds them."""
    try:
        given = np.asanyarray(values)
    except Exception:  # raised by the values, or ValueError for lists of unequal lengths
        raise ConfigurationError(f"values={shown(values)} must be {_wanted(field)}.") from None
    if given.dtype.kind != "U":
        return given
    mask = np.ma.getmaskarray(given)
    found = np.zeros((*given.shape, *field.shape), field.dtype)
    texts = np.ma.getdata(given)[~mask].tolist()
    if texts:
        found[~mask] = [_address(field, text) for text in texts]
    if field.shape:
        mask = np.repeat(mask[..., None], 16, axis=-1)
    return np.ma.MaskedArray(found, mask=mask)


def _address(field: Field, text: str) -> Any:
    kind, value = parsed("values", text) if field.kind != "number" else ("text", None)
    if kind != field.kind:
        raise ConfigurationError(f"values={shown(text)} must be {_wanted(field)}.")
    return value


def _spread(field: Field, array: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    try:
        return np.broadcast_to(array, (count, *field.shape))
    except ValueError:
        frames = counted(count, "frame")
        raise ConfigurationError(
            f"values has the shape {array.shape}, for {frames}: give one value for all, "
            "or one for each."
        ) from None


def _wanted(field: Field) -> str:
    if field.kind == "ipv6":
        return f"IPv6 addresses for {field.name}: text such as {EXAMPLES['ipv6']}, or 16 bytes each"
    numbers = f"whole numbers, 0 to {(1 << field.bits) - 1}, for {field.name}"
    if field.kind == "number":
        return numbers
    return f"{numbers}, or addresses in text such as {EXAMPLES[field.kind]}"
