"""Packets as scapy builds them, for tests of header fields, and scapy's answers on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, in4_chksum
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting,
    PadN,
    in6_chksum,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.packet import NoPayload, Packet, Raw
from scapy.utils import checksum

from xdplab.fields import FRAME

TAGS = (Dot1Q, Dot1AD)
EXTENSIONS = (
    *(IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment),
    *(IPv6ExtHdrRouting, IPv6ExtHdrSegmentRouting, AH),
)
ENOUGH = {IP: 20, IPv6: 40, UDP: 8, TCP: 20, ICMP: 8, ARP: 28}
"""Bytes of a header that is not cut off."""

NEXT = {
    IPv6ExtHdrHopByHop: 0,
    TCP: 6,
    UDP: 17,
    IPv6ExtHdrRouting: 43,
    IPv6ExtHdrSegmentRouting: 43,
    IPv6ExtHdrFragment: 44,
    AH: 51,
    ICMPv6EchoRequest: 58,
    IPv6ExtHdrDestOpt: 60,
}
"""How the header before names each."""

macs = st.binary(min_size=6, max_size=6).map(lambda found: found.hex(":"))
ipv4s = st.integers(0, 2**32 - 1).map(lambda found: ".".join(map(str, found.to_bytes(4))))
ipv6s = st.binary(min_size=16, max_size=16).map(
    lambda found: ":".join(found[i : i + 2].hex() for i in range(0, 16, 2))
)
bytes_ = st.integers(0, 255)
words = st.integers(0, 2**16 - 1)
longs = st.integers(0, 2**32 - 1)

ethernets = st.builds(Ether, dst=macs, src=macs)
tags = st.lists(
    st.one_of(
        *(st.builds(kind, vlan=st.integers(0, 4095), prio=st.integers(0, 7)) for kind in TAGS)
    ),
    max_size=3,
)
arps = st.builds(ARP, op=words, hwsrc=macs, psrc=ipv4s, hwdst=macs, pdst=ipv4s)
ipv4_headers = st.builds(
    lambda options, **fields: IP(options=[IPOption_NOP()] * options, **fields),
    options=st.integers(0, 9),
    src=ipv4s,
    dst=ipv4s,
    ttl=bytes_,
    tos=bytes_,
    id=words,
    flags=st.integers(0, 7),
)
extensions = st.lists(
    st.one_of(
        st.builds(
            lambda size: IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(size))]), st.integers(0, 20)
        ),
        st.builds(
            lambda size: IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(size))]), st.integers(0, 20)
        ),
        st.builds(IPv6ExtHdrFragment, id=longs, m=st.integers(0, 1)),
        st.builds(IPv6ExtHdrRouting, addresses=st.lists(ipv6s, min_size=1, max_size=2)),
        st.builds(
            lambda addresses, left: IPv6ExtHdrSegmentRouting(
                addresses=addresses, segleft=left, lastentry=len(addresses) - 1
            ),
            st.lists(ipv6s, min_size=1, max_size=2),
            st.integers(0, 1),
        ),
    ),
    max_size=3,
)
authentications = st.lists(
    st.builds(lambda: AH(payloadlen=4, spi=1, seq=1, icv=bytes(12))), max_size=1
)
ipv6_headers = st.builds(
    IPv6, src=ipv6s, dst=ipv6s, hlim=bytes_, tc=bytes_, fl=st.integers(0, 2**20 - 1)
)
udps = st.builds(UDP, sport=words, dport=words)
udps_without_checksum = st.builds(UDP, sport=words, dport=words, chksum=st.just(0))
tcps = st.builds(
    TCP,
    sport=words,
    dport=words,
    seq=longs,
    ack=longs,
    flags=bytes_,
    window=words,
    options=st.sampled_from([[], [("NOP", None)] * 4, [("MSS", 1460)]]),
)
icmps = st.builds(ICMP, type=st.sampled_from([0, 8]), code=bytes_, id=words, seq=words)
icmpv6s = st.builds(ICMPv6EchoRequest, code=bytes_, id=words, seq=words)
payloads = st.binary(max_size=40)
udp_like = st.one_of(udps, udps_without_checksum, tcps)


def stacked(layers: Sequence[Packet]) -> Packet:
    """Put layers on each other."""
    whole, *others = layers
    for each in others:
        if isinstance(whole.lastlayer(), AH):  # scapy leaves it 0
            whole.lastlayer().nh = NEXT[type(each)]
        whole = whole / each
    return whole


ip_packets = st.one_of(
    st.tuples(ipv4_headers, st.one_of(udp_like, icmps)).map(list),
    st.tuples(ipv6_headers, extensions, authentications, st.one_of(udp_like, icmpv6s)).map(
        lambda found: [found[0], *found[1], *found[2], found[3]]
    ),
)
"""IP headers and the transport header, in a list."""

packets = st.one_of(
    st.tuples(ethernets, tags, st.one_of(ip_packets, arps.map(lambda arp: [arp])), payloads).map(
        lambda found: stacked([found[0], *found[1], *found[2], Raw(found[3])])
    ),
)
"""Whole and right packets, with right checksums or, of UDP, none."""


def placed(frames: Sequence[bytes], gap: int = 0) -> tuple[npt.NDArray[np.uint8], Any]:
    """Put frames into an area, one after the other; return it, and where they are."""
    area = np.frombuffer(b"".join(each + b"\xff" * gap for each in frames), np.uint8).copy()
    where = np.zeros(len(frames), FRAME)
    lengths = np.array([len(each) for each in frames], int)
    where["length"] = lengths
    where["address"] = np.concatenate([[0], np.cumsum(lengths + gap)[:-1]]) if len(frames) else 0
    return area, where


def answers(frame: bytes) -> dict[str, Any]:
    """Return every field that scapy finds in a frame, as numbers, or bytes of an IPv6 address."""
    if len(frame) < 14:
        return {}
    packet = Ether(frame)
    found: dict[str, Any] = {"eth.dst": mac(packet.dst), "eth.src": mac(packet.src)}
    found |= _of_types(packet)
    network = packet.payload
    while isinstance(network, TAGS):
        network = network.payload
    if isinstance(network, ARP):
        return found | _of_arp(network)
    if isinstance(network, IP) and _is_whole(network):
        return found | _of_ipv4(network)
    if isinstance(network, IPv6) and _is_whole(network):
        return found | _of_ipv6(network)
    return found


def mac(text: str) -> int:
    """Return a MAC address as a number."""
    return int(text.replace(":", ""), 16)


def ipv4(text: str) -> int:
    """Return an IPv4 address as a number."""
    return int.from_bytes(bytes(map(int, text.split("."))))


def ipv6(text: str) -> bytes:
    """Return the bytes of an IPv6 address."""
    import socket

    return socket.inet_pton(socket.AF_INET6, text)


def _is_whole(layer: Packet, least: int | None = None) -> bool:
    least = ENOUGH[type(layer)] if least is None else least
    return len(layer.original) >= least


def _of_types(packet: Packet) -> Iterator[tuple[str, int]] | dict[str, int]:
    found: dict[str, int] = {}
    if isinstance(packet.payload, TAGS) and _is_whole(packet.payload, 4):
        found |= {"vlan.id": packet.payload.vlan, "vlan.pcp": packet.payload.prio}
    while isinstance(packet.payload, TAGS):
        packet = packet.payload
    if isinstance(packet, Dot3) or _is_whole(packet, 4):
        found["eth.type"] = packet.len if isinstance(packet, Dot3) else packet.type
    return found


def _of_arp(arp: ARP) -> dict[str, int]:
    if not _is_whole(arp, 8):
        return {}
    if not _is_whole(arp) or (arp.hwtype, arp.ptype, arp.hwlen, arp.plen) != (1, 0x800, 6, 4):
        return {"arp.op": arp.op}
    return {
        "arp.op": arp.op,
        "arp.sender_mac": mac(arp.hwsrc),
        "arp.sender_ip": ipv4(arp.psrc),
        "arp.target_mac": mac(arp.hwdst),
        "arp.target_ip": ipv4(arp.pdst),
    }


def _of_ipv4(ip: IP) -> dict[str, Any]:
    found = {
        "ipv4.src": ipv4(ip.src),
        "ipv4.dst": ipv4(ip.dst),
        "ipv4.ttl": ip.ttl,
        "ipv4.tos": ip.tos,
        "ipv4.dscp": ip.tos >> 2,
        "ipv4.ecn": ip.tos & 3,
        "ipv4.id": ip.id,
        "ipv4.flags": int(ip.flags),
        "ipv4.fragment": ip.frag,
        "ipv4.protocol": ip.proto,
        "ipv4.length": ip.len,
        "ip.protocol": ip.proto,
    }
    return found if ip.frag else found | _of_transport(ip.payload)


def _of_ipv6(ip: IPv6) -> dict[str, Any]:
    found = {
        "ipv6.src": ipv6(ip.src),
        "ipv6.dst": ipv6(ip.dst),
        "ipv6.hop_limit": ip.hlim,
        "ipv6.traffic_class": ip.tc,
        "ipv6.flow_label": ip.fl,
        "ipv6.length": ip.plen,
    }
    layer: Packet = ip
    while isinstance(after := _after(layer), EXTENSIONS):
        layer = after
        if isinstance(layer, IPv6ExtHdrFragment) and layer.offset:
            return found | {"ipv6.next": layer.nh, "ip.protocol": layer.nh}
    found |= {"ipv6.next": layer.nh, "ip.protocol": layer.nh}
    if layer.nh == NEXT[ICMPv6EchoRequest] and not isinstance(after, NoPayload):
        header = after.original[:4]  # scapy leaves types that it does not know
        return found | dict(zip(("icmpv6.type", "icmpv6.code"), header, strict=False))
    return found | _of_transport(after)


def _after(layer: Packet) -> Packet:
    """Return what follows; scapy does not look behind an AH."""
    if not isinstance(layer, AH):
        return layer.payload
    rest = bytes(layer.payload)
    return IPv6(bytes(IPv6(nh=layer.nh, plen=len(rest))) + rest).payload


def _of_transport(layer: Packet) -> dict[str, Any]:
    if not isinstance(layer, UDP | TCP | ICMP) or not _is_whole(layer):
        return {}
    if isinstance(layer, ICMP):
        return {"icmp.type": layer.type, "icmp.code": layer.code}
    if isinstance(layer, UDP):
        found = {"udp.sport": layer.sport, "udp.dport": layer.dport, "udp.length": layer.len}
        return found | {"payload.length": min(layer.len, len(layer.original)) - 8}
    return {
        "tcp.sport": layer.sport,
        "tcp.dport": layer.dport,
        "tcp.seq": layer.seq,
        "tcp.ack": layer.ack,
        "tcp.flags": int(layer.flags) & 255,
        "tcp.window": layer.window,
        "payload.length": len(layer.original) - 4 * layer.dataofs,
    }


def with_right_checksums(frame: bytes) -> bytes:
    """Return a whole packet with its checksums computed by scapy; a UDP checksum of 0 stays."""
    packet, fixed = Ether(frame), bytearray(frame)
    network, at = packet.payload, 14
    while isinstance(network, TAGS):
        network, at = network.payload, at + 4
    if isinstance(network, IP):
        transport = at + 4 * network.ihl
        _put(fixed, at + 10, checksum, at, transport)
        if not network.frag:
            _fix_transport(fixed, network.proto, network, transport, at + network.len)
    elif isinstance(network, IPv6):
        layer, transport = network, at + 40
        while isinstance(after := _after(layer), EXTENSIONS):
            transport += len(after.original) - len(bytes(after.payload))
            layer = after
        _fix_transport(fixed, layer.nh, layer, transport, at + 40 + network.plen)
    return bytes(fixed)


def _put(frame: bytearray, place: int, sum_of: Any, begin: int, end: int) -> None:
    frame[place : place + 2] = bytes(2)
    frame[place : place + 2] = sum_of(bytes(frame[begin:end])).to_bytes(2)


def _fix_transport(frame: bytearray, protocol: int, under: Packet, begin: int, end: int) -> None:
    place = begin + {1: 2, 6: 16, 17: 6, 58: 2}[protocol]
    if protocol == 17 and not any(frame[place : place + 2]):
        return

    def sum_of(data: bytes) -> int:
        if protocol == 1:
            return int(checksum(data))
        pseudo = in4_chksum if isinstance(under, IP) else in6_chksum
        found = int(pseudo(protocol, under, data))
        return 0xFFFF if protocol == 17 and not found else found

    _put(frame, place, sum_of, begin, end)
