"""What the device knew of each packet of a batch, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from xdplab.core.errors import ConfigurationError
from xdplab.native import ffi, lib
from xdplab.native.records import METADATA

if TYPE_CHECKING:
    from xdplab.capture.loan import FrameLoan, Indices
    from xdplab.fields.values import Values

Metadata = npt.NDArray[Any]


class FromDevice:
    """Mixin of a batch: what the device told the XDP program of each packet.

    It takes ``Capture(..., sampling=Sampling(metadata=True))``. The arrays are copies, masked where
    the device did not tell, and in the later frames of a packet of several.
    """

    _loan: FrameLoan
    _index: Indices | None

    @property
    def hashes(self) -> Values:
        """The device's hash of each packet's flow, shape (n,), uint32."""
        return self._told("hash", lib.XDPLAB_METADATA_HASH)

    @property
    def vlan_tags(self) -> Values:
        """The VLAN tag that the device took off each packet, shape (n,), uint16.

        Priority, drop eligibility and number, as in a frame: ``tags & 0xfff`` is the number. A tag
        that is still in the frame is ``batch["vlan.id"]``. It needs Linux 6.8.
        """
        return self._told("vlan_tag", lib.XDPLAB_METADATA_VLAN)

    @property
    def device_times(self) -> Values:
        """When the device received each packet, shape (n,), uint64: ns by its own clock."""
        return self._told("time_ns", lib.XDPLAB_METADATA_DEVICE_TIME)

    @property
    def program_times(self) -> Values:
        """When the XDP program saw each packet, shape (n,), uint64.

        In ns by CLOCK_MONOTONIC, as of the host's time namespace. Masked where the device has a
        clock, whose times are `device_times`.
        """
        return self._told("time_ns", lib.XDPLAB_METADATA_PROGRAM_TIME)

    def _told(self, name: str, flag: int) -> Values:
        found = self._metadata()
        return cast("Values", np.ma.array(found[name], mask=(found["flags"] & flag) == 0))

    def _metadata(self) -> Metadata:
        """Return a record for each frame, all 0 of one without.

        Raises
        ------
        ConfigurationError
            When the capture was not asked for it.
        """
        self._loan.check(self._index)
        if self._loan.metadata is not None:
            known = self._loan.metadata
            return known if self._index is None else known[self._index]
        area, frames = self._loan.area, np.ascontiguousarray(self._loan.frames)
        if not area.metadata:
            raise ConfigurationError(
                "the XDP program did not ask the device about these packets: "
                "Capture(..., sampling=Sampling(metadata=True)) does."
            )
        found = np.zeros(len(frames), METADATA)
        lib.xdplab_metadata_read(
            ffi.from_buffer("uint8_t[]", area.array),
            area.array.size,
            ffi.from_buffer("struct xdplab_frame[]", frames),
            len(frames),
            ffi.cast("struct xdplab_metadata *", ffi.from_buffer(found)),
        )
        return found if self._index is None else found[self._index]
