"""Refusal of ``checksum="device"`` where a zero-copy driver does not announce it."""

from __future__ import annotations

from xdplab.core.errors import ConfigurationError
from xdplab.net.interface import Interface


def refuse_unless_it_finishes_checksums(interface: Interface) -> None:
    """Raise unless a driver says that it finishes checksums of AF_XDP packets that it sends.

    Raises
    ------
    ConfigurationError
        Where it does not, or where the kernel does not tell.
    """
    # It imports pyroute2, which is slow.
    from xdplab.net.features import CHECKSUM, read_xdp_features  # noqa: PLC0415

    features = interface.namespace.run(read_xdp_features, interface.index)
    does = features.does if features else None
    if does is not None and CHECKSUM in does:
        return
    announced = "the kernel does not tell" if does is None else ", ".join(does) or "nothing"
    raise ConfigurationError(
        f"checksum='device' can't be had on {interface.name} with zero-copy: the driver "
        f"{interface.driver or 'unknown'} does not announce that it finishes checksums of AF_XDP "
        f"packets (xsk-features: {announced}). Take bind='copy', with which the kernel asks the "
        "card, or checksum='software', with which the worker finishes them."
    )
