"""The arrays that fields are read from: an area of memory, and the frames' places in it."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from xdplab.core.checks import is_a, shown
from xdplab.core.errors import ConfigurationError
from xdplab.native.records import FRAME

_BYTE = np.dtype(np.uint8)


def area_of(area: object) -> npt.NDArray[np.uint8]:
    """Return an area of memory, checked.

    Raises
    ------
    ConfigurationError
        When it is no such array.
    """
    if not is_a(area, np.ndarray) or area.dtype != _BYTE or not area.flags.c_contiguous:
        raise ConfigurationError(
            f"area={_words(area)} must be a contiguous numpy array of uint8, such as "
            "np.frombuffer(data, np.uint8)."
        )
    return area


def area_to_write(area: object) -> npt.NDArray[np.uint8]:
    """Return an area of memory that can be written to, checked.

    Raises
    ------
    ConfigurationError
        When it is no such array.
    """
    checked = area_of(area)
    if not checked.flags.writeable:
        raise ConfigurationError(
            f"area={_words(area)} is read-only. Write to a copy: area = area.copy()."
        )
    return checked


def frames_of(frames: object) -> npt.NDArray[Any]:
    """Return the places of frames, checked and contiguous.

    Raises
    ------
    ConfigurationError
        When they are no such array.
    """
    if not is_a(frames, np.ndarray) or frames.dtype != FRAME or frames.ndim != 1:
        raise ConfigurationError(
            f"frames={_words(frames)} must be a one-dimensional numpy array of the dtype "
            "xdplab.fields.FRAME."
        )
    return np.ascontiguousarray(frames)


def refuse_outside(area: npt.NDArray[np.uint8], frames: npt.NDArray[Any], number: int) -> NoReturn:
    """Raise for a frame that is not within the area."""
    begin, length = int(frames["address"][number]), int(frames["length"][number])
    raise ConfigurationError(
        f"frames[{number}] is bytes {begin} to {begin + length} of an area of {area.size} bytes: "
        "it must be within. An address counts from the area's begin."
    )


def _words(value: object) -> str:
    """Describe what was given: an array by its dtype and shape."""
    if is_a(value, np.ndarray):
        return f"<array of {value.dtype}, shape {value.shape}>"
    return shown(value)
