"""The benchmark `tcp`: a stream's bytes, received in each way that the kernel has.

One lab. The sender, at one end, sends a numbered stream over one connection as fast as that takes
it, on a core of its own. At the other end the receivers take turns on another core: each is a
thread written in C that compares every byte. ``tcp-zcrx`` is io_uring's zero-copy receive in its
form without a device: there it copies, too.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.options import lengths
from xdplab.bench.peers.tcp_receiver import TCP_WAYS, TcpReceiver
from xdplab.bench.report.report import least_to_most, median
from xdplab.bench.rounds import Entry, Rounds
from xdplab.core.cores import cores_for_queue
from xdplab.core.errors import KernelError
from xdplab.lab.lab import Lab

COPYING = {"tcp-zcrx": "it copies: without a device that receives into its pages"}
"""Ways that are not what their name says: the reason."""

_WORDS = 1 << 15  # of 8 bytes, that are sent at once
_PATIENCE = 30.0  # seconds, to connect and for the last bytes
_LARGEST_FRAME = 1514
_FIGURES = ("gigabits", "cpu_ns_per_kilobyte", "calls_per_megabyte", "bytes_per_piece")


class _Sender:
    """A thread that sends the stream for some seconds, and closes the connection.

    Parameters
    ----------
    connection
        The connected socket; it owns it.
    cpu
        Core of the thread.
    seconds
        How long.
    """

    def __init__(self, connection: socket.socket, cpu: int, seconds: float) -> None:
        self._connection, self._cpu, self._seconds = connection, cpu, seconds
        self.sent = 0
        """Bytes."""
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        os.sched_setaffinity(threading.get_native_id(), {self._cpu})
        words = np.arange(_WORDS, dtype=np.uint64)
        until = time.monotonic() + self._seconds
        # The receiver may end before.
        with self._connection, suppress(OSError):
            while time.monotonic() < until:
                self._connection.sendall(words.data)
                self.sent += words.nbytes
                words += _WORDS

    def wait(self) -> None:
        """Wait until it has sent all, or can't."""
        self._thread.join()


@contextmanager
def _connected(lab: Lab) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect the peer to the port; yield the sockets of sender and receiver."""
    with lab.port.socket(type=socket.SOCK_STREAM) as listener:
        listener.settimeout(_PATIENCE)
        try:
            listener.bind((lab.port.ipv4, 0))
            listener.listen()
            with closing(lab.peer.socket(type=socket.SOCK_STREAM)) as sender:
                sender.settimeout(_PATIENCE)
                sender.connect(listener.getsockname())
                receiver, _ = listener.accept()
                with receiver:
                    yield sender, receiver
        except KernelError:
            raise
        except OSError as error:
            raise KernelError("connect a lab's ends by TCP", error.errno or 0) from error


@dataclass(frozen=True)
class _Place:
    lab: Lab
    sender_core: int
    receiver_core: int


def _take(way: str, place: _Place, seconds: float) -> dict[str, Any]:
    with _connected(place.lab) as (sending, receiving):
        with TcpReceiver(receiving, way, cpu=place.receiver_core) as receiver:
            sender = _Sender(sending, place.sender_core, seconds)
            deadline = time.monotonic() + seconds + _PATIENCE
            while not receiver.counts.ended and time.monotonic() < deadline:
                time.sleep(0.01)
        # One whose receiver is gone can't send any more.
        sender.wait()
    counts = receiver.counts
    if fault := receiver.error:
        raise fault
    if not counts.bytes or not counts.ended:  # of one that stands still there are no figures
        raise KernelError(f"receive TCP by {way}", errno.ETIMEDOUT)
    taken = (counts.last_ns - counts.first_ns) / 1e9
    return {
        "seconds": round(taken, 6),
        "sent": sender.sent,
        "received": counts.bytes,
        "complete": counts.bytes == sender.sent,
        "gigabits": round(counts.bytes * 8 / taken / 1e9, 3),
        "cpu_ns_per_kilobyte": round(counts.cpu_ns / counts.bytes * 1e3, 2),
        "calls_per_megabyte": round(counts.calls / counts.bytes * 1e6, 2),
        "bytes_per_piece": round(counts.bytes / counts.pieces, 1),
        "ineffective": COPYING.get(way),
    }


def _measure(turns: Rounds) -> dict[str, Any]:
    sender_core, receiver_core = cores_for_queue(0, 1)
    with Lab() as lab:
        place = _Place(lab, sender_core, receiver_core)
        entries = [Entry(way, partial(_take, way, place, turns.seconds)) for way in TCP_WAYS]
        turns.take(entries)
        traffic = {
            "rate": "max",
            "size": _LARGEST_FRAME,
            "sender_core": sender_core,
            "receiver_core": receiver_core,
        }
        return turns.result(lab, entries, _FIGURES, traffic)


def _notes(result: Mapping[str, Any]) -> list[str]:
    traffic = result["traffic"]
    measured = [entry for entry in result["entries"] if entry["status"] == "measured"]
    short = [
        entry["name"] for entry in measured if not all(run["complete"] for run in entry["runs"])
    ]
    return [
        f"sender on core {traffic['sender_core']}, receivers on core {traffic['receiver_core']}; "
        "CPU is of the receiver's thread, without softirqs",
        f"not complete: {', '.join(short)}"
        if short
        else "each byte of each stream arrived, in order",
    ]


BENCHMARK = Benchmark(
    name="tcp",
    help="a TCP stream, received by sockets and by io_uring",
    options=lengths(3, 2.0),
    measure=_measure,
    title="gigabits a second",
    columns=(
        median("received", "gigabits", digits=2),
        least_to_most("gigabits", digits=2),
        median("CPU\nns/kB", "cpu_ns_per_kilobyte"),
        median("calls\n/MB", "calls_per_megabyte"),
        median("bytes\n/piece", "bytes_per_piece", digits=0),
    ),
    notes=_notes,
)
