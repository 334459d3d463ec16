"""Traffic: numbered, timed frames across a lab's wire, made in the kernel."""

from __future__ import annotations

import math
import os
import time
from typing import Any, Literal, Self

from xdplab import backends
from xdplab.configuration.binding import longest_frame
from xdplab.core.calls import public
from xdplab.core.checks import core, place, shown, whole
from xdplab.core.checks import seconds as seconds_within
from xdplab.core.closing import Starting
from xdplab.core.cores import generator_core
from xdplab.core.errors import ClosedError, ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.locks import new_lock
from xdplab.core.table import Table, Tabled
from xdplab.engine.tables import traffic_table
from xdplab.knobs.journal import Journal
from xdplab.knobs.row import Knob
from xdplab.knobs.table import TrafficKnobs
from xdplab.ledger.subjects import IsTraffic
from xdplab.native import lib
from xdplab.net.host import Host
from xdplab.net.link_type import LOOPBACK, require_ethernet
from xdplab.net.redirect_target import drops_redirected
from xdplab.net.replacing import replace_what_this_cell_made
from xdplab.net.resolve import is_same
from xdplab.net.stream import Rate, Stream, checked_rate, frame_size, host, interval_ps
from xdplab.refusals.errors import error_at
from xdplab.send.asked import Asked
from xdplab.send.generator import Generator
from xdplab.send.replay import Replay
from xdplab.send.replaying import Replayed

RECORDED: Literal["recorded"] = "recorded"
"""The rate of a replay that keeps to its own times."""

_MOST_REPEATS = (1 << 32) - 1
_AT_ONCE_PS = 1  # between two frames of a replay; 0 stands for its own times


@public
class Traffic(Tabled, TrafficKnobs, FixedNames, Starting, IsTraffic):
    """A stream of UDP frames from one host to another, made by an XDP program in the kernel.

    Each frame carries a sequence number and the time at which it was made (CLOCK_MONOTONIC), at the
    start of its UDP payload. The program itself reads the clock, and sends a frame when it is due.
    On veth the frames reach queue (core modulo queues) of the receiver, whatever their flow.

    A sender has one generator at a time. In a notebook, re-running the cell that made one replaces
    it.

    Below 5,000 frames a second the generator's thread sleeps between frames; from there on it takes
    the whole of its core.

    In a simulated lab the wire's own thread sends, and runs on the generator's core meanwhile.

    It can replay a capture file, too: its frames have neither number nor time, so that no latency
    is measured. They are sent by an AF_XDP socket on the sender's queue (core modulo queues), from
    a thread on the generator's core.

    Parameters
    ----------
    sender, receiver
        The sides of a lab: ``lab.peer`` and ``lab.port``.
    rate
        Frames a second, from 0.001, also as text such as ``"20k"``, or ``"max"``. When its core was
        taken away, the generator later sends up to 1,024 frames of the last 100 ms, and skips the
        rest. Can be changed while it runs. The default is ``"max"``, and for a replay
        ``"recorded"``: the file's own times.
    size
        Bytes of a frame, 60 to 1514, without the checksum that a wire adds. Can be changed while it
        runs.
    count
        Stop after so many frames.
    seconds
        Stop after this time, 0.001 to 86,400.
    flows
        How many source ports take turns, from 1024 up.
    cpu
        Core of the generator; not the worker's unless there is but one.
    replay
        A pcap or pcapng file, also one that gzip compressed, whose frames are sent unchanged and in
        their order. `size` and `flows` are then the file's. `left_out` and `remarks` tell what is
        not sent. A file of more than 64 MiB is read while it is sent.
    repeat
        How often a replay is sent in one start; 0 until it is stopped.

    Raises
    ------
    ConfigurationError
        For values out of range, for a sender that is the receiver, and for a file that can't be
        replayed.
    QueueBusyError
        When the sender already has a generator; for a replay, when its queue has another socket.
    PermissionRefusedError
        Without CAP_NET_ADMIN and CAP_BPF.
    """

    def __init__(
        self,
        sender: Host,
        receiver: Host,
        *,
        rate: float | str | None = None,
        size: int = 64,
        count: int | None = None,
        seconds: float | None = None,
        flows: int = 1,
        cpu: int | None = None,
        replay: str | os.PathLike[str] | None = None,
        repeat: int = 1,
    ) -> None:
        self._lock = new_lock()
        self._generator: Generator | None = None
        host("sender", sender)
        host("receiver", receiver)
        require_ethernet(sender.interface, "sender")
        if is_same(sender.interface, receiver.interface) and sender.interface.link_type != LOOPBACK:
            raise ConfigurationError(
                f"sender and receiver are both {sender.interface.name}, and what it sends does not "
                "come back to it. Take the two sides of a lab: Traffic(lab.peer, lab.port)."
            )
        if sender.interface.carries_default_route():
            raise ConfigurationError(
                f"{sender.interface.name} carries the default route, and generated frames are for "
                "labs: Traffic(lab.peer, lab.port)."
            )
        self.sender, self.receiver = sender, receiver
        self.journal = Journal()
        backend = backends.of(sender.interface.namespace)
        stream = Stream(receiver, "max", size, count, seconds, flows)
        repeats = whole("repeat", repeat, 0, _MOST_REPEATS)
        self.cpu = generator_core() if cpu is None else core(cpu)
        longest = longest_frame(sender.interface.now())
        self._replay = None if replay is None else Replay.read(place("replay", replay), longest)
        usual: Rate | Literal["recorded"] = RECORDED if self._replay else "max"
        self._rate = usual if rate is None else self._checked_rate(rate)
        self._asked = Asked(stream.count, stream.seconds)
        self._size = stream.size
        config: dict[str, object] = {
            "interface_index": sender.interface.index,
            "cpu": self.cpu,
            "longest": longest,
            "stream": {
                **stream.config(sender.interface),
                "interval_ps": self._interval_ps(self._rate),
            },
        }
        if self._replay is not None:
            config["replay"] = Replayed(self._replay, repeats)
        replace_what_this_cell_made(self, sender.interface)
        self._generator = backend.open_generator(sender.interface, config)

    def start(self) -> Self:
        """Start sending, on a thread of its own.

        `count` and `seconds` are those of one start; the numbers in the frames go on.

        Raises
        ------
        ClosedError
            After `close`, and after that of its lab.
        ConfigurationError
            When the sender's driver would drop every frame: some send those of an XDP program only
            while the card has one itself.
        InterfaceGoneError
            When the sender's interface is gone.
        """
        with self._lock:
            generator = self._open()
            sender = self.sender.interface.now()
            if not self.by_socket and (why := drops_redirected(sender)):
                raise ConfigurationError(why)
            if not generator.running:
                self._asked.begin(self._rate, generator.sending_ns / 1e9, generator.sent)
                generator.start()
        return self

    def stop(self) -> None:
        """Stop sending, and wait until the last frame has left."""
        with self._lock:
            if self._generator and not self._generator.closed:
                self._generator.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until `count` or `seconds` are reached.

        Parameters
        ----------
        timeout
            Seconds to wait at most.

        Returns
        -------
        bool
            Whether it has ended.

        Raises
        ------
        KernelError
            When the kernel ended the generator.
        """
        if timeout is not None:
            timeout = seconds_within("timeout", timeout, 0, math.inf)
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.running:
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        with self._lock:
            if self._generator and not self.closed and (fault := self._generator.fault):
                raise error_at(lib.XDPLAB_STEP_GENERATE, fault, "send live frames")
        return True

    @property
    def replays(self) -> bool:
        """Whether its frames are those of a capture file."""
        return self._replay is not None

    @property
    def by_socket(self) -> bool:
        """Whether its frames leave through a socket, which no XDP program's counts tell of."""
        return self.replays and not self.sender.interface.namespace.simulated

    @property
    def left_out(self) -> int:
        """Frames of a replay's file that can't be sent; `remarks` say which, and why."""
        return self._replay.left_out if self._replay else 0

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes on frames of a replay's file that are left out, or not sent as captured."""
        return self._replay.remarks if self._replay else ()

    def _read(self, knob: Knob[Any]) -> Any:
        if knob is Traffic.rate:
            return self._rate
        return self._size if self._replay is None else self._replay.longest

    def _turn(self, knob: Knob[Any], value: object) -> None:
        turn = self._turn_rate if knob is Traffic.rate else self._turn_size
        turn(value)

    def _turn_rate(self, value: object) -> None:
        rate = self._checked_rate(value)
        with self._lock:
            generator = self._open()
            self._asked.turn(self._rate, generator.sending_ns / 1e9, generator.sent)
            generator.set_interval(self._interval_ps(rate))
            self.journal.note("rate", self._rate, rate)
            self._rate = rate

    def _turn_size(self, value: object) -> None:
        if self._replay is not None:
            raise ConfigurationError(
                f"size={shown(value)} can't be set: the frames of {self._replay.name} are as long "
                "as they are."
            )
        size = frame_size(value)
        with self._lock:
            self._open().set_size(size)
            self.journal.note("size", self._size, size)
            self._size = size

    @property
    def sent(self) -> int:
        """Frames handed to the sender's interface so far."""
        with self._lock:
            return self._final if self.closed else self._open().sent

    @property
    def asked(self) -> int:
        """Frames asked for so far: the rate times the time spent sending, up to `count`.

        At ``"max"`` and ``"recorded"`` they are those that it sent.
        """
        with self._lock:
            if self.closed:
                return self._final_asked
            generator = self._open()
            return round(self._asked.total(self._rate, generator.sending_ns / 1e9, generator.sent))

    @property
    def sending_seconds(self) -> float:
        """The time that it spent sending so far, in all starts."""
        with self._lock:
            return self._final_seconds if self.closed else self._open().sending_ns / 1e9

    @property
    def too_long(self) -> int:
        """Of those, frames longer than the sender's MTU allows: the kernel drops them silently."""
        with self._lock:
            return self._final_too_long if self.closed else self._open().too_long

    @property
    def running(self) -> bool:
        """Whether it is sending."""
        with self._lock:
            return not self.closed and self._open().running

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or the constructor did not succeed."""
        return self._generator is None or self._generator.closed

    def close(self) -> None:
        """Stop sending and release all resources."""
        with self._lock:
            if self._generator and not self._generator.closed:
                self._generator.stop()
                self._final, self._final_too_long = self.sent, self.too_long
                self._final_asked, self._final_seconds = self.asked, self.sending_seconds
                self._generator.close()

    _final = _final_too_long = _final_asked = 0
    _final_seconds = 0.0

    def _checked_rate(self, rate: object) -> Rate | Literal["recorded"]:
        if self._replay is not None and type(rate) is str and rate == RECORDED:
            return RECORDED
        return checked_rate(rate)

    def _interval_ps(self, rate: Rate | Literal["recorded"]) -> int:
        if rate == RECORDED:
            return 0
        return interval_ps(rate) or (0 if self._replay is None else _AT_ONCE_PS)

    def _open(self) -> Generator:
        if self._generator is None or self._generator.closed:
            raise ClosedError("this traffic was closed. Make a new one.")
        return self._generator

    def _table(self) -> Table:
        return traffic_table(self)

    def _brief(self) -> str:
        state = "closed" if self.closed else "running" if self.running else "stopped"
        rate = self._rate if isinstance(self._rate, str) else f"{self._rate:,} a second"
        of = f"{self.size}-byte frames" if self._replay is None else self._replay.name
        if self.left_out:
            of += f" but for {self.left_out:,} of its frames"
        mark = " [simulated]" if self.sender.interface.namespace.simulated else ""
        return f"<Traffic of {of}, {rate}, {state}: {self.sent:,} sent{mark}>"
