"""Each receive path delivers what others do, counts it alike, and leaves nothing unaccounted."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
from pathlib import Path

import numpy as np
import pytest
from support.child_programs import line, python
from support.ended_namespaces import Witness
from support.pings import all_answered
from support.receive_paths import (
    COUNT,
    OTHERS,
    PACKET,
    SOCKETS,
    UDP,
    each_path,
    each_socket,
    engine_on,
    received,
    send,
)
from support.waiting import eventually

from xdplab import PATHS, Engine, InterfaceGoneError, Lab, Memory, Sampling, Traffic
from xdplab.configuration.keywords import grouped
from xdplab.experiments.measure import measure
from xdplab.ledger.account import Account
from xdplab.native import ffi, lib
from xdplab.native.records import SYSCALLS
from xdplab.telemetry.region import SAMPLE_PAYLOAD

pytestmark = pytest.mark.kernel  # whose sockets they are

PAYLOAD_OF_64 = 64 - 42

OWN_CALLS = {
    "udp-blocking": {"recvfrom"},
    "udp-epoll": {"epoll_wait", "recvmmsg"},
    "udp-uring": {"io_uring_enter"},
    "packet": {"recvfrom"},
    "packet-mmap": {"poll"},
    "xdp": {"nanosleep"},
}


def calls(engine: Engine) -> set[str]:
    counted = engine.telemetry.counters()["syscalls"]
    return {name for kind, name in enumerate(SYSCALLS) if counted[kind] and name != "publish"}


def lost(account: Account) -> dict[str, int]:
    return {line.name: line.packets for line in account.stages if line.packets and line.lost}


def test_the_table_is_in_the_designs_order() -> None:
    assert ("xsk", *OTHERS) == PATHS


@each_socket
def test_a_socket_delivers_every_frame_in_order_and_accounts_for_it(lab: Lab, path: str) -> None:
    with engine_on(lab, path, inspect=True, sampling=Sampling(every=100)) as engine:
        assert (engine.path, engine.wait, engine.way) == (path, "", path)
        ledger = engine.ledger()
        send(lab)
        account = ledger.settle(30)
        counters, latency = engine.telemetry.counters(), engine.telemetry.latency()
        own = calls(engine)
    others = int(counters["rx_packets"]) - COUNT  # neighbour discovery, which a packet socket sees
    assert account.balanced
    assert not lost(account)
    assert account.packets("received by the worker") == counters["rx_packets"]
    assert others == 0 if path in UDP else others >= 0
    assert counters["stream_frames"] == COUNT == latency.total
    assert counters["stream_missing"] == counters["stream_late"] == 0
    assert counters["rx_bytes"] >= COUNT * (PAYLOAD_OF_64 if path in UDP else 64)
    assert own == OWN_CALLS[path]
    assert counters["wakeups"] > 0


def test_the_program_drops_and_counts_every_frame_by_itself(lab: Lab) -> None:
    with Engine(lab.port, path="xdp") as engine:
        ledger = engine.ledger()
        send(lab)
        account = ledger.settle(30)
        counters = engine.telemetry.counters()
        own = calls(engine)
    assert account.balanced
    assert account.packets("dropped by the XDP program") == COUNT == counters["rx_packets"]
    assert account.packets("counted by the worker") == COUNT
    assert counters["rx_bytes"] == 64 * COUNT
    assert own == OWN_CALLS["xdp"]


@each_path
def test_what_is_too_much_is_lost_with_its_reason_and_to_the_packet(lab: Lab, path: str) -> None:
    small = {"socket_buffer": 1 << 17} if path in SOCKETS else {}
    with Engine(lab.port, path=path, **grouped(small)) as engine:
        traffic = Traffic(lab.peer, lab.port, seconds=0.3)
        measured, account = measure(engine, traffic, 30)
        traffic.close()
    assert measured.balanced
    assert account.balanced
    assert measured.path == path
    assert (measured.wait, measured.wait_effective) == ("", True)
    assert measured.rx_packets > 0
    assert set(lost(account)) <= {"socket buffer full", "wire full"}
    if "socket buffer full" in lost(account):
        assert "came while the socket's buffer was full: its 131,072 bytes" in account.explain()
        assert measured.kernel["rx_ring_full"] == lost(account)["socket buffer full"]


@each_socket
def test_a_stopped_worker_leaves_its_packets_to_the_buffer_and_then_takes_them(
    lab: Lab, path: str
) -> None:
    with Engine(lab.port, path=path, memory=Memory(socket_buffer=1 << 18), inspect=True) as engine:
        while received(engine) < 100:  # a busy machine may lose some in so small a buffer
            send(lab, 100)
        engine.stop()
        ledger = engine.ledger()
        send(lab, 4_000)
        account = ledger.settle(30)
        dropped = lost(account)["socket buffer full"]
        waiting = account.packets("waiting in the socket")
        assert account.balanced
        assert waiting > 0
        assert account.packets("received by the worker") == 0
        assert account.packets("seen by the device") >= dropped + waiting >= 4_000
        assert "The worker is stopped: engine.start()" in account.explain()
        engine.start()
        account = ledger.settle(30)
        assert account.balanced
        assert account.packets("received by the worker") == waiting
        assert lost(account)["socket buffer full"] == dropped


@pytest.mark.parametrize("path", ["udp-epoll", "udp-uring", "packet-mmap"])
def test_what_was_fetched_and_not_handed_over_waits_for_the_next_start(lab: Lab, path: str) -> None:
    with engine_on(lab, path, inspect=True) as engine:
        ledger = engine.ledger()
        with Traffic(lab.peer, lab.port, rate=100_000, count=20_000) as traffic:
            while traffic.running:
                engine.stop()
                engine.start()
        account = ledger.settle(30)
        counters = engine.telemetry.counters()
    assert account.balanced
    assert counters["stream_frames"] + sum(lost(account).values()) == 20_000
    assert counters["stream_late"] == 0


def test_a_datagram_behind_options_is_the_sockets_and_counted(lab: Lab) -> None:
    nothing = b"\x01"  # IPOPT_NOP
    with Engine(lab.port, path="udp-epoll") as engine:
        with lab.peer.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, 8 * nothing)
            for port in (9, 10, 9):
                sender.sendto(b"x", (lab.port.ipv4, port))
        assert eventually(lambda: engine.verdicts().redirected == 2)


@pytest.mark.parametrize("path", UDP)
def test_a_datagram_of_any_size_is_one_packet_of_its_true_length(lab: Lab, path: str) -> None:
    sizes = (0, 1, 1472, 1473, 5000, 65_507)
    with engine_on(lab, path, sampling=Sampling(every=1, bytes=4096)) as engine:
        with lab.peer.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for size in sizes:
                udp.sendto(bytes(number % 251 for number in range(size)), (lab.port.ipv4, 9))
        assert eventually(lambda: len(engine.telemetry.samples()[0]) == len(sizes))
        samples, _ = engine.telemetry.samples()
        assert eventually(lambda: engine.telemetry.counters()["rx_bytes"] == sum(sizes))
    assert samples["length"].tolist() == list(sizes)
    for sample in samples:
        kept = min(int(sample["length"]), 4096)
        assert sample["captured"] == kept
        assert bytes(sample["bytes"][:kept]) == bytes(number % 251 for number in range(kept))


@each_socket
def test_samples_say_whether_they_are_frames_or_payload(lab: Lab, path: str) -> None:
    from xdplab.telemetry.dissect import summarize

    with engine_on(lab, path, sampling=Sampling(every=1)) as engine:
        send(lab, 10)
        assert eventually(lambda: np.count_nonzero(engine.telemetry.samples()[0]["sent_ns"]) == 10)
        samples, _ = engine.telemetry.samples()
    ours = samples[samples["sent_ns"] > 0]
    payload = bool(ours[0]["flags"] & SAMPLE_PAYLOAD)
    kept = bytes(ours[0]["bytes"][: ours[0]["captured"]])
    assert payload == (path in UDP)
    assert set(ours["length"]) == {PAYLOAD_OF_64 if payload else 64}
    assert kept[0 if payload else 42 :][:2] == b"\x64\x78"  # the magic, on a little-endian machine
    assert summarize(kept, payload=payload).protocol == ("Raw" if payload else "UDP")
    assert (ours["time_ns"] >= ours["sent_ns"]).all()


@pytest.mark.parametrize(("path", "link_type"), [("udp-epoll", 147), ("packet", 1)])
def test_a_saved_payload_is_not_taken_for_ethernet(
    lab: Lab, tmp_path: Path, path: str, link_type: int
) -> None:
    from pcapng import FileScanner
    from pcapng.blocks import InterfaceDescription

    with engine_on(lab, path, sampling=Sampling(every=1)) as engine:
        send(lab, 10)
        assert eventually(lambda: np.count_nonzero(engine.telemetry.samples()[0]["sent_ns"]) == 10)
        engine.telemetry.save_samples(tmp_path / "kept.pcapng")
    with (tmp_path / "kept.pcapng").open("rb") as file:
        described = [
            block for block in FileScanner(file) if isinstance(block, InterfaceDescription)
        ]
    assert [block.link_type for block in described] == [link_type]


@pytest.mark.parametrize("path", UDP)
def test_another_generators_numbers_are_no_gap_and_none_is_late(lab: Lab, path: str) -> None:
    with engine_on(lab, path, inspect=True) as engine:
        for _ in range(3):
            send(lab, 500)
        assert eventually(lambda: received(engine) == 1_500)
        assert eventually(lambda: engine.telemetry.counters()["stream_frames"] == 1_500)
        counters = engine.telemetry.counters()
    assert counters["stream_missing"] == counters["stream_late"] == 0


@pytest.mark.parametrize("path", OTHERS[:-1])
def test_other_traffic_passes_beside_it(lab: Lab, path: str) -> None:
    with Engine(lab.port, path=path) as engine:
        ledger = engine.ledger()
        assert all_answered(lab.peer, lab.port.ipv4)
        account = ledger.settle(30)
    assert account.balanced
    if path in UDP:
        assert account.packets("received by the worker") == 0
        assert "not datagrams for this socket" in account.explain()
    else:
        assert account.packets("received by the worker") >= 1


@each_path
def test_an_interface_that_disappears_ends_the_worker_with_an_error(lab: Lab, path: str) -> None:
    with Engine(lab.port, path=path) as engine:
        assert engine.error is None
        assert lab.peer.command(["ip", "link", "del", "peer0"]).returncode == 0
        assert eventually(lambda: engine.error is not None)
        assert not engine.running
        assert isinstance(engine.error, InterfaceGoneError)
        assert re.search(r"port0 queue 0.*ENODEV.*make a new lab", str(engine.error))
        with pytest.raises(InterfaceGoneError):
            engine.start()


@pytest.mark.parametrize("path", PACKET)
def test_a_link_that_was_down_for_a_while_goes_on(lab: Lab, path: str) -> None:
    with engine_on(lab, path, inspect=True) as engine:
        for state in ("down", "up"):
            assert lab.port.command(["ip", "link", "set", "port0", state]).returncode == 0
        lab.peer.ping(lab.port.ipv4, count=1)
        send(lab, 100)
        assert eventually(lambda: engine.telemetry.counters()["stream_frames"] == 100)
        assert engine.running


@each_path
def test_it_can_be_paced_and_stepped_and_shows_no_rings(lab: Lab, path: str) -> None:
    with engine_on(lab, path, batch=4) as engine:
        engine.pace = float("inf")
        if path != "xdp":
            engine.step()  # taken by a worker that knows of its pace
            assert eventually(lambda: engine.telemetry.counters()["steps"] == 1)
        send(lab, 50)
        if path != "xdp":
            assert received(engine) == 0
            engine.step(3)
            assert eventually(lambda: engine.telemetry.counters()["steps"] == 4)
            assert eventually(lambda: 0 < received(engine) <= 12)
        assert engine.telemetry.rings()["ring_size"] == 0
        engine.pace = 0
        assert eventually(lambda: received(engine) >= 50)


@each_path
def test_whatever_is_stored_in_the_control_block_is_brought_within_bounds(
    lab: Lab, path: str
) -> None:
    with engine_on(lab, path) as engine:
        for word in ("action", "wait", "batch", "burst"):
            for value in (0, 7, (1 << 64) - 1):
                control = lib.xdplab_engine_control(engine._native.pointer, 0)
                lib.xdplab_store(ffi.addressof(control, word), value)
                before = received(engine)
                send(lab, 20)
                assert eventually(lambda before=before: received(engine) >= before + 20)
        counters = engine.telemetry.counters()
        assert engine.error is None
    assert counters["tx_packets"] == counters["control_action"] == 0


@each_path
def test_no_descriptor_is_left_of_it(lab: Lab, path: str) -> None:
    Engine(lab.port, path=path).start().close()  # opens what is opened at first use
    gc.collect()  # what other tests left, which would be closed meanwhile
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        Engine(lab.port, path=path).start().close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


CAPTURING = """
import time
from xdplab import Engine, Lab, Traffic
lab = Lab()
engine = Engine(lab.port, path={path!r}).start()
traffic = Traffic(lab.peer, lab.port, rate=10_000).start()
while not engine.telemetry.counters()["rx_packets"]:
    time.sleep(0.01)
print("capturing", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("path", ["udp-uring", "packet-mmap", "xdp"])
def test_a_killed_process_leaves_nothing(privileged: None, path: str) -> None:
    with python(CAPTURING.format(path=path)) as process:
        assert line(process) == "capturing"
        witness = Witness(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert witness.sees_the_end()


def test_no_path_is_refused_for_a_reason_that_is_none_of_its_own(lab: Lab) -> None:
    # One after the other, on one interface: none leaves anything that is in the next one's way.
    for path in (*PATHS, *reversed(PATHS)):
        with Engine(lab.port, path=path) as engine:
            send(lab, 10)
            assert eventually(lambda engine=engine: received(engine) >= 10)
            assert engine.error is None
