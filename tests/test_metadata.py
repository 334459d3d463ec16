"""What the device knows of a packet comes with it, and says whether it is valid."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from support.pings import all_answered
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, KernelError, Lab, Memory, Sampling, Traffic
from xdplab.native.objects import program_path
from xdplab.telemetry.region import SAMPLE_DEVICE_TIME, SAMPLE_HASH, SAMPLE_PROGRAM_TIME, Records

# The kernel's alone: what sends from sockets.


def _samples_of(engine: Engine, count: int) -> Records:
    assert eventually(lambda: len(engine.telemetry.samples()[0]) >= count)
    return engine.telemetry.samples()[0][:count]


def _send(lab: Lab, sizes: list[int]) -> None:
    with lab.peer.socket() as udp:
        for size in sizes:
            udp.sendto(bytes(size), (lab.port.ipv4, 4000))


@pytest.mark.kernel
def test_what_the_peers_stack_sends_has_a_hash_on_veth(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(metadata=True, every=1)) as engine:
        _send(lab, [100] * 5)
        _send(lab, [100] * 5)
        samples = _samples_of(engine, 10)
    assert all(samples["flags"] & SAMPLE_HASH)
    # Of one flow each: a socket has its own port.
    first, second = set(samples["hash"][:5].tolist()), set(samples["hash"][5:].tolist())
    assert len(first) == len(second) == 1
    assert first != second


def test_a_generated_frame_has_none(lab: Lab) -> None:
    with (
        Engine(lab.port, sampling=Sampling(metadata=True, every=1)) as engine,
        Traffic(lab.peer, lab.port, rate=1000, count=10) as traffic,
    ):
        assert traffic.wait(30)
        samples = _samples_of(engine, 10)
    assert not any(samples["flags"] & SAMPLE_HASH)
    assert not samples["hash"].any()
    assert all(samples["flags"] & SAMPLE_PROGRAM_TIME)


@pytest.mark.kernel
def test_a_device_without_a_clock_has_the_programs_and_says_so(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(metadata=True, every=1)) as engine:
        before = time.monotonic_ns()
        _send(lab, [100] * 10)
        samples = _samples_of(engine, 10)
    assert all(samples["flags"] & SAMPLE_PROGRAM_TIME)
    assert not any(samples["flags"] & SAMPLE_DEVICE_TIME)
    assert all(samples["device_time_ns"] > before)
    assert all(samples["device_time_ns"] <= samples["time_ns"])


@pytest.mark.kernel
def test_without_metadata_a_sample_says_that_there_is_none(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(every=1)) as engine:
        _send(lab, [100])
        (sample,) = _samples_of(engine, 1)
    assert sample["flags"] == sample["hash"] == sample["device_time_ns"] == 0


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("headroom", "unaligned", "frame_size"), [(64, False, 2048), (0, True, 3000)]
)
def test_long_packets_have_it_too_in_every_layout(
    privileged: None, headroom: int, unaligned: bool, frame_size: int
) -> None:
    with (
        Lab(mtu=9000) as lab,
        Engine(
            lab.port,
            sampling=Sampling(metadata=True, every=1),
            memory=Memory(multi_buffer=True, headroom=headroom, unaligned=unaligned),
            frame_size=frame_size,
        ) as engine,
    ):
        _send(lab, [8900, 10, 8900])
        samples = _samples_of(engine, 3)
    assert all(samples["flags"] == SAMPLE_HASH | SAMPLE_PROGRAM_TIME)
    assert len(set(samples["hash"].tolist())) == 1
    assert samples["length"].tolist() == [8942, 52, 8942]


def test_both_ports_of_two_joined_labs_have_programs_of_their_own(privileged: None) -> None:
    with (
        Lab() as one,
        Lab(number=1) as other,
        Engine(
            one.port, forward_to=other.port, sampling=Sampling(metadata=True, every=1)
        ) as engine,
    ):
        assert all_answered(one.peer, other.peer.ipv4, 10)
        for worker in range(2):
            samples, _ = engine.telemetry.samples(worker=worker)
            assert all(samples["flags"] & SAMPLE_PROGRAM_TIME)


def test_metadata_goes_the_way_of_the_driver_only(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match="attach='native'"):
        Engine(lab.port, sampling=Sampling(metadata=True), attach="skb")


@pytest.mark.privilege  # a broker loads none but its own programs
def test_a_kernel_without_the_functions_is_told_from_one_with_them(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As an older kernel would have it: the program calls what is not there.
    program = Path(os.fsdecode(program_path("capture_metadata"))).read_bytes()
    strange = tmp_path / "capture_metadata.bpf.o"
    strange.write_bytes(program.replace(b"bpf_xdp_metadata_rx_hash", b"bpf_xdp_metadata_rx_hush"))
    monkeypatch.setattr("xdplab.native.objects.program_path", lambda name: bytes(strange))
    with pytest.raises(KernelError, match=r"metadata=True needs Linux 6\.3"):
        Engine(lab.port, sampling=Sampling(metadata=True))


@pytest.mark.kernel
def test_what_is_left_to_the_stack_is_as_it_came(lab: Lab) -> None:
    with (
        Engine(lab.port, sampling=Sampling(metadata=True)),
        lab.peer.socket(socket.AF_INET6) as udp,
    ):
        udp.sendto(b"", (lab.port.ipv6, 4000))
        neighbours = ["ip", "-6", "neigh", "show", lab.port.ipv6]
        assert eventually(lambda: lab.port.interface.mac in lab.peer.command(neighbours).stdout)
