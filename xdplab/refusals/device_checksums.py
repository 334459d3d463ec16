"""Refusal of ``checksum="device"`` where a packet would leave unfinished."""

from __future__ import annotations

from xdplab.core.errors import ConfigurationError
from xdplab.core.kernel_release import kernel_release
from xdplab.net.interface import Interface
from xdplab.net.virtio import DRIVER as VIRTIO

# The kernel copies less for virtio-net than for others, and before this version it left out the
# request (xsk_build_skb_zerocopy, Linux 6.12 beside 6.18).
_VIRTIO_SINCE = (6, 18)


def refuse_unless_finished(interface: Interface, *, zero_copy: bool) -> None:
    """Raise unless checksums are finished that a worker leaves to an interface.

    With zero-copy the driver must say that it does so: one that can't sends a packet as it is
    (xsk_tx_metadata_request, Linux 6.18). In copy mode the kernel sees to it.

    Parameters
    ----------
    interface
        The interface by which packets are sent.
    zero_copy
        Whether its socket was bound with zero-copy.

    Raises
    ------
    ConfigurationError
        Where nobody would, or where the kernel does not tell.
    """
    refused = f"checksum='device' can't be had on {interface.name}"
    instead = "checksum='software', with which the worker finishes them"
    if not zero_copy:
        if interface.driver == VIRTIO and kernel_release() < _VIRTIO_SINCE:
            raise ConfigurationError(
                f"{refused} in copy mode: Linux before 6.18 ignores on {VIRTIO} what a packet asks "
                f"for. Take {instead}."
            )
        return
    # It imports pyroute2, which is slow.
    from xdplab.net.features import CHECKSUM, read_xdp_features  # noqa: PLC0415

    features = interface.namespace.run(read_xdp_features, interface.index)
    does = features.does if features else None
    if does is not None and CHECKSUM in does:
        return
    announced = "the kernel does not tell" if does is None else ", ".join(does) or "nothing"
    raise ConfigurationError(
        f"{refused} with zero-copy: the driver {interface.driver or 'unknown'} does not announce "
        f"that it finishes checksums of AF_XDP packets (xsk-features: {announced}). Take "
        f"bind='copy', with which the kernel asks the card, or {instead}."
    )
