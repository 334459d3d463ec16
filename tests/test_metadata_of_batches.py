"""A batch has what the device knew of its packets, as arrays."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from support.batches import arrived
from support.waiting import eventually

from xdplab import Capture, ConfigurationError, Lab, Memory, Sampling, Traffic

ASKED = Sampling(metadata=True)
# Tags UDP with VLAN 77, priority 5; section "classifier" is what tc(8) looks for.
TAGS = """
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
SEC("classifier") int tag(struct __sk_buff *packet)
{
    __u8 protocol = 0;
    bpf_skb_load_bytes(packet, 14 + 9, &protocol, 1);
    if (packet->protocol == bpf_htons(ETH_P_IP) && protocol == 17)
        bpf_skb_vlan_push(packet, bpf_htons(ETH_P_8021Q), 5 << 13 | 77);
    return TC_ACT_OK;
}
char LICENSE[] SEC("license") = "GPL";
"""
HEADERS = ("-idirafter", f"/usr/include/{os.uname().machine}-linux-gnu")
ARRAYS = ("hashes", "vlan_tags", "device_times", "program_times")


def taken(capture: Capture, count: int) -> dict[str, list[Any]]:
    """Receive so many frames, and return what the device knew of each, None where nothing."""
    found: dict[str, list[Any]] = {name: [] for name in ARRAYS}
    end = time.monotonic() + 30
    while len(found["hashes"]) < count and time.monotonic() < end:
        batch = capture.recv(1)
        for name in ARRAYS:
            found[name] += getattr(batch, name).tolist()
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(ARRAYS, count)
    return found


@pytest.mark.kernel
def test_packets_of_one_flow_have_one_hash_of_the_device(lab: Lab) -> None:
    with Capture(lab.port, sampling=ASKED) as capture:
        before = time.monotonic_ns()
        with lab.peer.socket() as one, lab.peer.socket() as other:
            for udp in (one, one, other):
                udp.sendto(bytes(100), (lab.port.ipv4, 4000))
        found = taken(capture, 3)
    first, again, second = found["hashes"]
    assert None not in found["hashes"]
    assert first == again != second
    # A veth has no clock, so that there is the program's time.
    assert found["device_times"] == found["vlan_tags"] == [None] * 3
    times = found["program_times"]
    assert before < times[0] <= times[1] <= times[2] < time.monotonic_ns()


def test_a_generated_frame_has_no_hash_but_a_time(lab: Lab) -> None:
    with (
        Capture(lab.port, sampling=ASKED) as capture,
        Traffic(lab.peer, lab.port, rate=1000, count=10),
    ):
        found = taken(capture, 10)
    assert found["hashes"] == found["vlan_tags"] == found["device_times"] == [None] * 10
    assert None not in found["program_times"]


@pytest.mark.kernel
@pytest.mark.privilege  # a program of tc(8) takes it
def test_a_tag_that_the_device_took_off_is_told(lab: Lab, tmp_path: Path) -> None:
    # A veth that offers to insert tags leaves them beside the frame. Not each kernel has VLAN
    # interfaces, so that a program of tc(8) adds the tag.
    source, program = tmp_path / "tag.c", tmp_path / "tag.o"
    source.write_text(TAGS)
    subprocess.run(
        ["clang", "-target", "bpf", "-O2", *HEADERS, "-c", source, "-o", program], check=True
    )
    for command in (
        ["ethtool", "-K", "peer0", "txvlan", "on"],
        ["tc", "qdisc", "add", "dev", "peer0", "clsact"],
        [
            *["tc", "filter", "add", "dev", "peer0", "egress", "bpf", "direct-action", "obj"],
            str(program),
        ],
    ):
        done = lab.peer.command(command)
        assert done.returncode == 0, done.stderr
    with Capture(lab.port, sampling=ASKED, match="udp port 4000") as capture:
        with lab.peer.socket() as udp:
            udp.sendto(bytes(100), (lab.port.ipv4, 4000))
        found = taken(capture, 1)
    (tag,) = found["vlan_tags"]
    assert (tag & 0xFFF, tag >> 13) == (77, 5)


@pytest.mark.kernel
def test_they_go_with_the_packets_that_are_chosen_kept_and_copied(lab: Lab) -> None:
    with Capture(lab.port, sampling=ASKED) as capture:
        with lab.peer.socket() as udp:
            for port in range(4000, 4004):
                udp.sendto(bytes(100), (lab.port.ipv4, port))
        assert eventually(lambda: arrived(capture) == 4)
        batch = capture.recv(30)
        assert len(batch) == 4
        hashes = batch.hashes.tolist()
        copy = batch.copy()
        assert copy.hashes.tolist() == hashes
        assert copy[1:].keep().hashes.tolist() == hashes[1:]
        assert batch[1:].hashes.tolist() == hashes[1:]
        assert batch[[1]].copy().hashes.tolist() == hashes[1:2]


@pytest.mark.kernel
def test_of_a_packet_of_several_frames_the_first_has_them(privileged: None) -> None:
    with (
        Lab(mtu=9000) as lab,
        Capture(lab.port, sampling=ASKED, memory=Memory(multi_buffer=True)) as capture,
    ):
        with lab.peer.socket() as udp:
            udp.sendto(bytes(5000), (lab.port.ipv4, 4000))
            udp.sendto(bytes(10), (lab.port.ipv4, 4000))
        found = taken(capture, 4)
    first, second, third, short = found["hashes"]
    assert first == short is not None
    assert second is third is None


def test_who_did_not_ask_is_told_how(lab: Lab) -> None:
    with Capture(lab.port) as capture:
        batch = capture.try_recv()
        for name in ARRAYS:
            with pytest.raises(ConfigurationError, match=r"sampling=Sampling\(metadata=True\)"):
                getattr(batch, name)
