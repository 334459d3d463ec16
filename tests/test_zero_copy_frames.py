"""Zero-copy with frames that would cut packets, or that the kernel would not take, is not had."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from xdplab import ConfigurationError, Lab, Memory
from xdplab.configuration.binding import BIND_MODES
from xdplab.configuration.configuration import Configuration
from xdplab.configuration.umem import longest_with_zero_copy

pytestmark = pytest.mark.kernel  # whose drivers they are


def asked(lab: Lab, driver: str = "igb", mtu: int = 1500, **settings: Any) -> str:
    """Return how sockets of an interface with this driver would be bound."""
    interface = replace(lab.port.interface, driver=driver, mtu=mtu)
    native, _held = Configuration(interfaces=(interface,), **settings).native()
    return next(name for name, mode in BIND_MODES.items() if mode == native.bind_mode)


@pytest.mark.parametrize(
    ("frame_size", "headroom", "longest"),
    [(2048, 0, 1024), (4096, 0, 3072), (4096, 1024, 2048), (4096, 2048, 1024), (2048, 1024, 0)],
)
def test_the_longest_packet_is_a_multiple_of_the_cards_unit(
    frame_size: int, headroom: int, longest: int
) -> None:
    assert longest_with_zero_copy("igb", frame_size, headroom) == longest
    assert longest_with_zero_copy("veth", frame_size, headroom) is None


def test_zero_copy_that_would_cut_packets_is_refused_with_frames_that_hold_them(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"at most 1,024 bytes.*1,518.*frame_size=4096"):
        asked(lab, bind="zero-copy")
    assert asked(lab, bind="zero-copy", frame_size=4096) == "zero-copy"
    assert asked(lab, bind="zero-copy", mtu=1006) == "zero-copy"
    with pytest.raises(ConfigurationError, match=r"Ask for bind='copy'"):
        asked(lab, bind="zero-copy", frame_size=4096, memory=Memory(headroom=2048))


def test_left_alone_the_kernel_copies_where_packets_would_be_cut(lab: Lab) -> None:
    assert asked(lab) == "copy"
    assert asked(lab, frame_size=4096) == "auto"
    assert asked(lab, "ice") == "auto"
    assert asked(lab, bind="copy") == "copy"


def test_zero_copy_takes_frames_across_pages_in_huge_ones_only(lab: Lab) -> None:
    wish: dict[str, Any] = {"bind": "zero-copy", "frame_size": 3000}
    wish["memory"] = across = Memory(unaligned=True)
    with pytest.raises(ConfigurationError, match="most of frame_size=3000") as refused:
        asked(lab, "ice", **wish)
    remedies = re.findall(r"memory=Memory\(.*?\)|frame_size=4096", str(refused.value))
    assert len(remedies) == 2
    for remedy in remedies:  # typed in place of what was refused
        typed = eval(f"dict({remedy})", {"Memory": Memory})
        assert asked(lab, "ice", **wish | typed) == "zero-copy"
    assert asked(lab, "ice", frame_size=3000, memory=across) == "copy"
    perhaps = replace(across, huge_pages="auto")  # which may get none
    assert asked(lab, "ice", frame_size=3000, memory=perhaps) == "copy"
