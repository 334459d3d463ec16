"""How a program is attached and a socket bound: which modes go together, and with which frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.configuration.umem import LARGEST_REAL_FRAME, longest_with_zero_copy
from xdplab.core.errors import ConfigurationError
from xdplab.native import lib

if TYPE_CHECKING:
    from xdplab.configuration.configuration import Configuration
    from xdplab.net.interface import Interface

ATTACH_MODES = {"native": lib.XDPLAB_ATTACH_NATIVE, "skb": lib.XDPLAB_ATTACH_SKB}
BIND_MODES = {
    "auto": lib.XDPLAB_BIND_AUTO,
    "copy": lib.XDPLAB_BIND_COPY,
    "zero-copy": lib.XDPLAB_BIND_ZERO_COPY,
}
_IN_HUGE_PAGES = "memory=Memory(unaligned=True, huge_pages=True)"
_ETHERNET = 14 + 4  # its header, and a VLAN tag


def longest_frame(interface: Interface) -> int:
    """Return the bytes of the longest frame that a device's MTU allows it to send."""
    return interface.mtu + _ETHERNET


def binding_words(configuration: Configuration) -> dict[str, int]:
    """Check the modes, and choose the one to bind with.

    Returns
    -------
    dict
        Fields of ``struct xdplab_config``.

    Raises
    ------
    ConfigurationError
        For modes that can't work.
    """
    if configuration.attach == "skb" and configuration.bind == "zero-copy":
        raise ConfigurationError(
            "bind='zero-copy' is the driver's, and attach='skb' goes around it. Ask for "
            "attach='native', or leave out bind."
        )
    # A driver with zero-copy would fill frames that the stack fills, too.
    copies = configuration.attach == "skb" or (
        configuration.bind != "copy"
        and (_would_be_cut(configuration) or _would_be_left_out(configuration))
    )
    return {
        "attach_mode": ATTACH_MODES[configuration.attach],
        "bind_mode": BIND_MODES["copy" if copies else configuration.bind],
    }


def _would_be_cut(configuration: Configuration) -> bool:
    """Tell whether a card would cut long packets with zero-copy, which must not be asked for."""
    for interface in configuration.interfaces:
        longest = _longest(configuration, interface, configuration.frame_size)
        needed = longest_frame(interface)
        if longest is None or longest >= needed:
            continue
        if configuration.bind == "zero-copy":
            raise ConfigurationError(
                f"with zero-copy the driver {interface.driver} has the card of "
                f"{interface.name} put at most {longest:,} bytes of a packet into a frame of "
                f"{configuration.frame_size:,} bytes, and the rest is lost: its MTU of "
                f"{interface.mtu:,} allows packets of {needed:,} bytes. Ask for "
                f"{_for_whole_packets(configuration, interface)}."
            )
        return True
    return False


def _would_be_left_out(configuration: Configuration) -> bool:
    """Tell whether the kernel would take too few frames for a card to fill.

    It takes none that crosses into a page elsewhere in memory, and does not give it back
    (xp_check_unaligned, net/xdp/xsk_buff_pool.c, Linux 6.18), so that soon few are left.
    """
    memory, frame_size = configuration.memory, configuration.frame_size
    crosses = memory.unaligned and LARGEST_REAL_FRAME % frame_size != 0
    if not crosses or memory.huge_pages is True:
        return False
    if configuration.bind == "zero-copy":
        huge = "huge_pages=True" if configuration.remade else _IN_HUGE_PAGES
        raise ConfigurationError(
            "with zero-copy the kernel takes no frame that crosses into another page of memory, "
            f"as most of frame_size={frame_size} would. Ask for {huge}, with pages large "
            f"enough for many, or for frame_size={LARGEST_REAL_FRAME}."
        )
    return True


def _for_whole_packets(configuration: Configuration, interface: Interface) -> str:
    """Return the setting with which a card puts whole packets into frames."""
    largest = _longest(configuration, interface, LARGEST_REAL_FRAME)
    enough = largest is not None and largest >= longest_frame(interface)
    return f"frame_size={LARGEST_REAL_FRAME}" if enough else "bind='copy'"


def _longest(configuration: Configuration, interface: Interface, frame_size: int) -> int | None:
    return longest_with_zero_copy(interface.driver, frame_size, configuration.memory.headroom)
