"""A packet larger than what the engine has for one is told, with a remedy that lets it through."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, Lab, Memory
from xdplab.configuration.keywords import grouped

pytestmark = pytest.mark.kernel  # whose MTUs and merging they are

_ETHERNET = 0x88B5  # for experiments, IEEE 802


def send(lab: Lab, size: int) -> None:
    """Send a frame from the peer."""
    name = lab.peer.interface.name
    macs = [host.interface.mac.replace(":", "") for host in (lab.port, lab.peer)]
    header = b"".join(map(bytes.fromhex, macs)) + _ETHERNET.to_bytes(2)

    # It may run in another process: it takes no lab along.
    def from_there() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
            raw.bind((name, 0))
            raw.send(header + bytes(size - 14))

    lab.peer.run(from_there)


def advice(explanation: str) -> str:
    """Find what the explanation says to type."""
    found = re.search(r"engine\.reconfigure\([^)]*\)", explanation)
    assert found, explanation
    return found[0]


def received(engine: Engine) -> int:
    return int(engine.telemetry.counters()["rx_packets"])


@pytest.mark.parametrize(
    ("settings", "mtu", "size", "named"),
    [
        ({"attach": "native"}, 3000, 2500, "frame_size=4096"),
        ({"attach": "native", "headroom": 1024}, 1500, 1200, "frame_size=4096"),
        ({"attach": "native", "headroom": 1024}, 3400, 3300, "multi_buffer=True"),
        ({"attach": "native", "headroom": 1024, "ring_size": 16}, 3400, 3300, "ring_size=32"),
        ({"attach": "skb"}, 3000, 2500, "multi_buffer=True"),
        ({"attach": "skb", "action": "reflect"}, 3000, 2500, "frame_size=4096"),
        ({"attach": "skb", "action": "reflect"}, 9000, 8000, "multi_buffer=True"),
        ({"attach": "skb", "action": "echo", "ring_size": 16}, 9000, 8000, "ring_size=32"),
        ({"attach": "skb", "frame_size": 4096}, 9000, 8000, "multi_buffer=True"),
        ({"attach": "skb", "frame_size": 4096}, 65535, 65000, "multi_buffer=True"),
        ({"attach": "skb", "frame_size": 2048}, 65535, 65000, "frame_size=4096"),
        (
            {"attach": "skb", "frame_size": 2048, "multi_buffer": True},
            65535,
            65000,
            "frame_size=4096",
        ),
    ],
)
def test_the_advice_for_a_packet_that_is_too_large_lets_it_through(
    privileged: None, settings: dict[str, Any], mtu: int, size: int, named: str
) -> None:
    with Lab(mtu=mtu) as lab, Engine(lab.port, **grouped(settings)) as engine:
        ledger = engine.ledger()
        send(lab, size)
        lost = ("larger than a UMEM frame", "of more frames than a packet may have")
        assert eventually(
            lambda: any(line.stage in lost and line.packets for line in ledger.read().stages)
        )
        explanation = ledger.explain()
        assert named in explanation
        eval(advice(explanation), {"engine": engine})
        send(lab, size)
        assert eventually(lambda: received(engine) == 1)


@pytest.mark.parametrize("frame_size", [2048, 4096])
def test_the_largest_headroom_is_one_that_the_kernel_takes(lab: Lab, frame_size: int) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Engine(lab.port, frame_size=frame_size, memory=Memory(headroom=frame_size - 8))
    largest = int(str(refused.value).rstrip(".").rpartition(" ")[2])
    with Engine(lab.port, frame_size=frame_size, memory=Memory(headroom=largest)) as engine:
        send(lab, 60)
        assert eventually(lambda: received(engine) == 1)
