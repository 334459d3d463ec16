"""A capture beside what everybody knows: `tcpdump` writes the same packets, `dig` is answered."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.waiting import eventually

from xdplab import Capture, Lab
from xdplab.bench.peers.peer import Peer

# Others' programs see real interfaces alone, and run where we may enter.
pytestmark = [pytest.mark.kernel, pytest.mark.privilege]

XDPLAB = str(Path(sys.executable).with_name("xdplab"))
FILTER = "ether proto 0x88b5"  # of an experimental protocol
HEADER = b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x88\xb5"
COUNT = 2000  # less than a ring
BUFFER = "16384"  # KiB, of tcpdump, for as many
PATIENCE = 60
PAGE = Path(__file__).parent.parent / "docs/packets.md"


def packets_of(path: Path) -> list[bytes]:
    with Capture.from_pcap(path) as capture:
        assert not capture.damage
        assert not capture.left_out
        return [bytes(packet) for batch in capture for packet in batch]


def test_the_file_has_the_packets_that_tcpdump_writes(lab: Lab, tmp_path: Path) -> None:
    random = Random(1)
    sent = [HEADER + random.randbytes(random.randint(46, 1500)) for _ in range(COUNT)]
    ours, theirs = tmp_path / "ours.pcapng", tmp_path / "theirs.pcap"
    limits = ["--count", str(COUNT), "--seconds", str(PATIENCE)]
    command = [XDPLAB, "capture", "--interface", "port0", "--rate", "none", *limits]
    beside = ["tcpdump", "-i", "peer0", "-c", str(COUNT), "-B", BUFFER, "-Z", "root", "-w"]
    with (
        Peer(lab.port, [*command, "--filter", FILTER, "--write", str(ours)]) as capture,
        Peer(lab.peer, [*beside, str(theirs), FILTER]) as tcpdump,
        lab.peer.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire,
    ):
        tcpdump.expect("listening on", PATIENCE)
        assert eventually(ours.exists)
        wire.bind(("peer0", 0))
        for packet in sent:
            wire.send(packet)
        capture.wait(PATIENCE)
        tcpdump.wait(PATIENCE)
    assert packets_of(theirs) == sent
    assert packets_of(ours) == sent


def test_dig_is_answered_by_the_example_of_the_page(lab: Lab) -> None:
    (example,) = re.findall(
        r"```python\n([^`]*def answer\(batch\):.*?)\n\n\nwith", PAGE.read_text(), re.S
    )
    names: dict[str, Any] = {}
    exec(example, names)
    with Capture(lab.port) as capture:
        names["capture"] = capture
        with capture.on_batch(names["answer"]):
            asked = ["dig", f"@{lab.port.ipv4}", "example.org", "A", "+tries=10", "+time=5"]
            said = lab.peer.command(asked)
    assert said.returncode == 0, said.stdout
    assert "status: NOERROR" in said.stdout
    assert re.search(r"^example\.org\.\s+60\s+IN\s+A\s+198\.18\.0\.53$", said.stdout, re.M)
    assert "WARNING" not in said.stdout
