"""The values of a field: a masked array that takes a Python number in place."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

_MaskedArray: Any = np.ma.MaskedArray  # whose annotations let no subclass override these methods


class Values(_MaskedArray):  # type: ignore[misc] # as above
    """A field of many frames, masked where a frame has no such header.

    numpy refuses ``values -= 1`` of a masked array whose dtype is narrower than int64, since it
    makes an int64 array of the 1. Here the 1 gets the dtype of the values.
    """

    def __iadd__(self, other: object) -> Self:
        super().__iadd__(self._fitting(other))
        return self

    def __isub__(self, other: object) -> Self:
        super().__isub__(self._fitting(other))
        return self

    def __imul__(self, other: object) -> Self:
        super().__imul__(self._fitting(other))
        return self

    def __ifloordiv__(self, other: object) -> Self:
        super().__ifloordiv__(self._fitting(other))
        return self

    def _fitting(self, other: object) -> Any:
        return self.dtype.type(other) if type(other) is int else other
