"""Reading a header field of many frames at once."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from xdplab.core.calls import public_function
from xdplab.fields.frames import area_of, frames_of, refuse_outside
from xdplab.fields.table import Field, field_of
from xdplab.fields.values import Values
from xdplab.native import ffi, lib


@public_function
def read(field: str, area: npt.NDArray[np.uint8], frames: npt.NDArray[Any]) -> Values:
    """Read a field of every frame.

    Parameters
    ----------
    field
        A name in `xdplab.FIELDS`.
    area
        The memory that the frames are in: one-dimensional, uint8.
    frames
        Where each frame is: `xdplab.fields.FRAME` has the dtype, with ``address`` (from the begin
        of `area`), ``length`` and ``options``.

    Returns
    -------
    numpy.ma.MaskedArray
        A value for each frame, masked where the frame has no such header: a copy. Numbers in host
        byte order (uint8 to uint32), MAC addresses as int64, IPv4 addresses as uint32; IPv6
        addresses with 16 columns of uint8.

    Raises
    ------
    ConfigurationError
        When there is no such field, an array is of another kind, or a frame is not within `area`.
    """
    return values_of(field_of(field), area_of(area), frames_of(frames))


def values_of(field: Field, area: npt.NDArray[np.uint8], frames: npt.NDArray[Any]) -> Values:
    """Read a field of every frame, of contiguous arrays: `read`.

    Raises
    ------
    ConfigurationError
        When a frame is not within `area`.
    """
    count = len(frames)
    values, masked = np.empty((count, *field.shape), field.dtype), np.empty(count, np.bool_)
    done = lib.xdplab_field_read(
        field.index,
        ffi.from_buffer("uint8_t[]", area),
        area.size,
        ffi.from_buffer("struct xdplab_frame[]", frames),
        count,
        ffi.from_buffer(values),
        ffi.from_buffer("uint8_t[]", masked),
    )
    if done < 0:
        refuse_outside(area, frames, -1 - done)
    found: Any = values.view(Values)
    # The attribute `mask` would copy it, which takes longer than to read the frames.
    found._mask = np.repeat(masked[:, None], 16, axis=1) if field.shape else masked
    return cast("Values", found)
