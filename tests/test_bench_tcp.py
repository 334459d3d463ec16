"""The benchmark of TCP: each byte is compared, and a way that the kernel lacks is refused."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest
from support.waiting import eventually

from xdplab import ConfigurationError, KernelError, Lab
from xdplab.bench import BENCHMARKS, table
from xdplab.bench.peers.tcp_receiver import TCP_WAYS, TcpReceiver
from xdplab.core.kernel_release import kernel_release

pytestmark = pytest.mark.kernel

WAYS = [way for way in TCP_WAYS if way != "tcp-zcrx" or kernel_release() >= (7, 1)]
CPU = 0


@pytest.fixture
def ends(lab: Lab) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Have the sender's and the receiver's end of a connection."""
    with (
        lab.port.socket(type=socket.SOCK_STREAM) as listener,
        lab.peer.socket(type=socket.SOCK_STREAM) as sender,
    ):
        listener.bind((lab.port.ipv4, 0))
        listener.listen()
        sender.settimeout(30)
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        with receiver:
            yield sender, receiver


def numbered(words: int) -> bytes:
    return np.arange(words, dtype=np.uint64).tobytes()


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_in_pieces_of_any_length_is_taken_whole(
    ends: tuple[socket.socket, socket.socket], way: str
) -> None:
    sender, receiving = ends
    stream = numbered(1 << 18)
    with TcpReceiver(receiving, way, cpu=CPU) as receiver:
        at = 0
        for length in (1, 7, 8, 9, 1, 3, 1000, 65_537, len(stream)):
            sender.sendall(stream[at : at + length])
            at = min(at + length, len(stream))
            assert eventually(lambda at=at: receiver.counts.bytes == at)
        assert not receiver.counts.ended
        sender.shutdown(socket.SHUT_WR)
        assert eventually(lambda: receiver.counts.ended)
        assert receiver.error is None
        counts = receiver.counts
    assert receiver.counts == counts
    assert counts.bytes == len(stream)
    assert counts.last_ns > counts.first_ns
    assert counts.cpu_ns > 0
    assert 9 <= counts.pieces <= counts.bytes


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", [0, 3, 4096 + 5, 100_003])
def test_a_wrong_byte_ends_it_with_the_count_of_those_before(
    ends: tuple[socket.socket, socket.socket], way: str, place: int
) -> None:
    sender, receiving = ends
    stream = bytearray(numbered(20_000))
    stream[place] ^= 64
    with TcpReceiver(receiving, way, cpu=CPU) as receiver:
        sender.sendall(stream)
        assert eventually(lambda: receiver.counts.ended)
        assert receiver.counts.bytes <= place
        error = receiver.error
        assert error is not None
        assert "EBADMSG" in str(error)
        assert f"{receiver.counts.bytes:,} bytes that were right" in str(error)


@pytest.mark.parametrize("way", WAYS)
def test_one_that_waits_for_bytes_is_closed_at_once(
    ends: tuple[socket.socket, socket.socket], way: str
) -> None:
    _, receiving = ends
    with TcpReceiver(receiving, way, cpu=CPU) as receiver:
        assert receiver.counts.bytes == 0
    assert receiver.error is None


@pytest.mark.skipif(kernel_release() >= (7, 1), reason="this kernel has it")
def test_a_way_that_the_kernel_lacks_is_refused_with_what_it_takes(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    _, receiving = ends
    with pytest.raises(KernelError, match=r"tcp-zcrx: .* EINVAL .* Linux 7\.1 .*IO_URING_ZCRX"):
        TcpReceiver(receiving, "tcp-zcrx", cpu=CPU)


def test_a_way_that_there_is_not_is_refused(ends: tuple[socket.socket, socket.socket]) -> None:
    _, receiving = ends
    with pytest.raises(ConfigurationError, match="tcp-blocking, tcp-epoll, tcp-uring, tcp-zcrx"):
        TcpReceiver(receiving, "zcrx", cpu=CPU)


def test_the_benchmark_receives_all_that_is_sent_and_says_what_copies() -> None:
    result = BENCHMARKS["tcp"].run(rounds=1, seconds=0.3, quiet=True)
    assert [entry["name"] for entry in result["entries"]] == list(TCP_WAYS)
    for entry in result["entries"]:
        if entry["name"] not in WAYS:
            assert entry["status"] == "failed"
            continue
        (run,) = entry["runs"]
        assert run["complete"], entry
        assert run["received"] == run["sent"] > 0
        assert entry["gigabits"]["median"] == run["gigabits"]
        assert bool(entry["ineffective"]) == (entry["name"] == "tcp-zcrx")
    assert "each byte of each stream arrived, in order" in table(result)
