"""Packet filters in the syntax of tcpdump, compiled and run by libpcap.

libpcap is loaded when the first filter is compiled: a capture without one needs none. Nothing is
opened and no privilege is needed.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from xdplab.core.checks import shown
from xdplab.core.checks import text as checked_text
from xdplab.core.errors import ConfigurationError

_SONAMES = ("libpcap.so.0.8", "libpcap.so.1")  # Debian's, and others'
_ETHERNET = 1  # DLT_EN10MB
_LONGEST_FRAME = 1 << 18  # libpcap's own limit
_LONGEST_TEXT = 2000
_UNKNOWN_MASK = 0xFFFFFFFF  # PCAP_NETMASK_UNKNOWN: "ip broadcast" is refused, as tcpdump does


class _Program(ctypes.Structure):
    """``struct bpf_program``."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


class _Header(ctypes.Structure):
    """``struct pcap_pkthdr``."""

    _fields_ = (
        ("seconds", ctypes.c_long),
        ("microseconds", ctypes.c_long),
        ("captured", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
    )


class PacketFilter:
    """A filter of Ethernet frames, such as ``udp and port 53``.

    Parameters
    ----------
    text
        The expression, see ``man pcap-filter``; an empty one passes every frame. A host's name in
        it is looked up as tcpdump does.
    name
        The keyword, for errors.

    Raises
    ------
    ConfigurationError
        With libpcap's own words, if it is no expression; and without libpcap.
    """

    def __init__(self, text: str, name: str = "filter") -> None:
        self.text = checked_text(name, text)
        if len(self.text) > _LONGEST_TEXT:
            raise ConfigurationError(
                f"{name}={shown(self.text)} is too long: {len(self.text):,} characters, and "
                f"{_LONGEST_TEXT:,} at most."
            )
        self.code = _compiled(self.text, name)
        """Its program in classic BPF: 8 bytes an instruction, as ``struct sock_filter``."""
        self._instructions = ctypes.create_string_buffer(self.code, len(self.code))
        self._program = _Program(
            len(self.code) // 8, ctypes.cast(self._instructions, ctypes.c_void_p)
        )

    def __repr__(self) -> str:
        return f"<PacketFilter {self.text!r}>"

    def matches(self, frame: bytes, length: int | None = None) -> bool:
        """Tell whether a frame passes.

        Parameters
        ----------
        frame
            Its bytes, from the Ethernet header on. What looks beyond their end does not pass.
        length
            Its length, where only its first bytes are there.
        """
        header = _Header(0, 0, len(frame), len(frame) if length is None else length)
        program = ctypes.byref(self._program)
        return bool(_libpcap().pcap_offline_filter(program, ctypes.byref(header), frame))


@functools.cache
def _libpcap() -> Any:
    for name in _SONAMES:
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise ConfigurationError(
            "a packet filter takes libpcap, which is not installed: `sudo apt install libpcap0.8`."
        )
    pointer = ctypes.c_void_p
    library.pcap_open_dead.restype = pointer
    library.pcap_open_dead.argtypes = (ctypes.c_int, ctypes.c_int)
    library.pcap_compile.argtypes = (
        *(pointer, ctypes.POINTER(_Program), ctypes.c_char_p),
        *(ctypes.c_int, ctypes.c_uint32),
    )
    library.pcap_geterr.restype = ctypes.c_char_p
    library.pcap_geterr.argtypes = library.pcap_close.argtypes = (pointer,)
    library.pcap_freecode.argtypes = (ctypes.POINTER(_Program),)
    library.pcap_offline_filter.argtypes = (
        *(ctypes.POINTER(_Program), ctypes.POINTER(_Header)),
        ctypes.c_char_p,
    )
    return library


def _compiled(text: str, name: str) -> bytes:
    library = _libpcap()
    capture = library.pcap_open_dead(_ETHERNET, _LONGEST_FRAME)
    if not capture:
        raise MemoryError
    try:
        program = _Program()
        optimized = 1
        if library.pcap_compile(
            capture, ctypes.byref(program), text.encode(), optimized, _UNKNOWN_MASK
        ):
            words = library.pcap_geterr(capture).decode(errors="replace").strip()
            raise ConfigurationError(f"{name}={text!r}: {words}.")
        try:
            return ctypes.string_at(program.instructions, 8 * program.length)
        finally:
            library.pcap_freecode(ctypes.byref(program))
    finally:
        library.pcap_close(capture)
