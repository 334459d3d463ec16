"""ARP, neighbour discovery and listener reports go to the stack, with any tags before them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLDone,
    ICMPv6MLQuery,
    ICMPv6MLReport,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    IPv6,
    IPv6ExtHdrHopByHop,
    PadN,
    RouterAlert,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet
from support.capture_files import pcap
from support.waiting import eventually

from xdplab import Engine, Lab, Traffic

_TAGS: dict[str, Callable[[], Packet]] = {
    "no tag": Ether,
    "a priority tag": lambda: Ether() / Dot1Q(vlan=0, prio=5),
    "a VLAN": lambda: Ether() / Dot1Q(vlan=7),
    "802.1ad": lambda: Ether(type=0x88A8) / Dot1Q(vlan=7),
    "QinQ": lambda: Ether(type=0x88A8) / Dot1Q(vlan=7) / Dot1Q(vlan=8),
    "QinQ of old": lambda: Ether(type=0x9100) / Dot1Q(vlan=7) / Dot1Q(vlan=8),
    "four tags": lambda: Ether() / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / Dot1Q(vlan=4),
}
_ROUTER = IPv6ExtHdrHopByHop(options=[RouterAlert()])
_PADDED = IPv6ExtHdrHopByHop(options=[RouterAlert(), PadN(optdata=bytes(14))])
_HOUSEKEEPING = [
    ARP(),
    ARP(op="is-at"),
    *(IPv6() / message() for message in (ICMPv6ND_NS, ICMPv6ND_NA, ICMPv6ND_RS, ICMPv6ND_RA)),
    IPv6() / ICMPv6ND_Redirect(),
    *(
        IPv6() / options / message()
        for options in (_ROUTER, _PADDED)
        for message in (ICMPv6MLReport, ICMPv6MLReport2, ICMPv6MLDone, ICMPv6MLQuery)
    ),
]
_CAPTURED = [
    IP() / UDP(),
    IPv6() / UDP(),
    IPv6() / ICMPv6EchoRequest(),
    IPv6() / _ROUTER / UDP(),
    IPv6() / _ROUTER / ICMPv6EchoRequest(),
]
# Frames that end where something would have to be looked at.
_CUT = [bytes(Ether() / Dot1Q(vlan=7))[:length] for length in (14, 16, 17)]


def _frames(tags: str) -> tuple[list[bytes], list[bytes]]:
    return tuple(  # type: ignore[return-value]
        [bytes(_TAGS[tags]() / payload.copy()) for payload in payloads]
        for payloads in (_HOUSEKEEPING, _CAPTURED)
    )


@pytest.mark.kernel  # the frames come from a packet socket
@pytest.mark.parametrize("tags", _TAGS)
@pytest.mark.parametrize("path", ["xsk", "xdp"])
def test_the_stack_keeps_its_own_behind_any_tags(lab: Lab, tags: str, path: str) -> None:
    housekeeping, captured = _frames(tags)
    with (
        Engine(lab.port, path=path) as engine,
        lab.peer.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire,
    ):
        wire.bind((lab.peer.interface.name, 0))
        before = engine.verdicts().passed
        for frame in [*housekeeping, *captured, *_CUT]:
            wire.send(frame)
        received = len(captured) + len(_CUT)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == received)
        # The hosts' own stacks may have said something meanwhile.
        assert engine.verdicts().passed >= before + len(housekeeping)


@pytest.mark.parametrize("tags", _TAGS)
def test_a_simulated_stack_does_so_too(tmp_path: Path, tags: str) -> None:
    housekeeping, captured = _frames(tags)
    frames = [*housekeeping, *captured, *_CUT]
    place = tmp_path / "frames.pcap"
    place.write_bytes(pcap(frames, [0] * len(frames)))
    with (
        Lab(backend="soft") as lab,
        Engine(lab.port) as engine,
        Traffic(lab.peer, lab.port, replay=place, rate="max") as traffic,
    ):
        assert traffic.wait(30)
        received = len(captured) + len(_CUT)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == received)
        assert engine.verdicts().passed == len(housekeeping)
