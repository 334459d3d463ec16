"""Two ports joined by a wire, in a mode: veth, or in a guest of `make vm` two cards."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from support.cards import MODES, wait_until_frames_pass
from xdplab import Capture, Engine, Host, XdplabError
from xdplab.capture.receiver import Receiver
from xdplab.configuration.keywords import grouped

PROTOCOL = 0x88B5  # for experiments, IEEE 802
MATCH = f"ether proto {PROTOCOL:#x}"  # which a card hashes not, so that it comes by queue 0
HEADER = b"\xff" * 6 + b"\2\0\0\0\0\1" + PROTOCOL.to_bytes(2)
RING = 64
AT_ONCE = 16  # frames: what a wire and each ring hold
_PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Pair:
    """Two hosts, the mode in which each of them receives and sends, and how a worker waits."""

    first: Host
    second: Host
    mode: str
    """A name of `MODES`."""
    busy: bool
    """Whether by busy polling."""
    record: Callable[[str, object], None]
    """Keeps a fact of the test, for the table."""

    @property
    def on_veth(self) -> bool:
        """Whether there is no card."""
        return self.first.interface.driver == "veth"

    @property
    def takes_several_buffers(self) -> bool:
        """Whether a packet may have several in this mode: of cards only their stack's side does."""
        return self.on_veth or self.mode == "skb"

    def settings(self, **settings: Any) -> dict[str, Any]:
        """Return the arguments of an engine, with these in place of the usual ones."""
        attach, bind = MODES[self.mode]
        usual = {
            "attach": attach,
            "bind": bind,
            "wait": "busy-poll" if self.busy else "spin",
            "ring_size": RING,
        }
        if "program" not in settings:
            usual["match"] = MATCH
        return grouped({**usual, **settings})

    @contextmanager
    def capture(self, host: Host | None = None, **settings: Any) -> Iterator[Capture]:
        """Have a capture, by default on the first host."""
        with Capture(host or self.first, **self.settings(**settings)) as made:
            yield made
            self._note(made)

    @contextmanager
    def ends(self, **settings: Any) -> Iterator[tuple[Capture, Capture]]:
        """Have a sender, on the second host, and a receiver on the first."""
        with (
            self.capture(self.second, **settings) as sender,
            self.capture(**settings) as receiver,
        ):
            self.wait()
            yield sender, receiver

    @contextmanager
    def engine(self, **settings: Any) -> Iterator[Engine]:
        """Have an engine on the first host."""
        with Engine(self.first, **self.settings(**settings)) as made:
            self.wait()
            yield made
            self._note(made)

    def wait(self) -> None:
        """Wait until frames pass."""
        wait_until_frames_pass(self.second, self.first)

    @contextmanager
    def longest(self, mtu: int) -> Iterator[None]:
        """Set the longest packet of both, in bytes behind the Ethernet header."""
        with ExitStack() as undo:
            for host in (self.first, self.second):
                before = host.interface.look().mtu
                undo.callback(_set_mtu, host, before)
                _set_mtu(host, mtu)
            yield

    def refused(self, error: XdplabError) -> None:
        """Note that an engine refuses, as the test has seen."""
        self.record("outcome", "refused")
        self.record("words", str(error))

    def not_possible(self, why: str) -> None:
        """Note that there is no such thing here, as the test has seen."""
        self.record("outcome", "not possible")
        self.record("words", why)

    def _note(self, engine: Engine) -> None:
        if self.busy and (why := engine.wait_ineffective.get("busy-poll")):
            self.record("note", f"busy polling has no effect: {why}")


def frames(count: int, longest: int = 1514) -> list[bytes]:
    """Make frames of many lengths, each unlike every other."""
    dice = random.Random(count)
    return [frame(dice, dice.randint(60, longest)) for _ in range(count)]


def frame(dice: random.Random, size: int) -> bytes:
    """Make a frame of a size with random bytes."""
    return HEADER + dice.randbytes(size - len(HEADER))


def taken(receiver: Capture | Receiver, count: int) -> list[bytes]:
    """Receive so many packets, each with all its frames."""
    found: list[bytes] = []
    while len(found) < count and len(batch := receiver.recv(timeout=_PATIENCE)):
        found += whole(batch.keep())
        batch.release()
    return found


def whole(batch: Any) -> list[bytes]:
    """Return the packets of a batch, those of several frames joined."""
    packets, parts = [], b""
    for part, options in zip(batch, batch.options, strict=True):
        parts += bytes(part)
        if not options & 1:  # XDP_PKT_CONTD
            packets.append(parts)
            parts = b""
    assert not parts
    return packets


def carry(
    sender: Capture, receiver: Capture, given: Sequence[bytes], at_once: int = AT_ONCE
) -> None:
    """Send frames, never so many at once that a ring is full, and see them arrive as they are."""
    for begin in range(0, len(given), at_once):
        some = list(given[begin : begin + at_once])
        assert sender.send(some, timeout=_PATIENCE) == len(some)
        assert taken(receiver, len(some)) == some


def counted(capture: Capture) -> Any:
    """Return the counters of a capture as they are now."""
    capture.refresh()
    return capture.telemetry.total()


def send_from_stack(host: Host, packets: Sequence[bytes]) -> None:
    """Send packets from a socket of the stack, which takes those of several buffers."""
    with host.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((host.interface.name, 0))
        for packet in packets:
            raw.send(packet)


def _set_mtu(host: Host, mtu: int) -> None:
    name = host.interface.name
    host.command(["ip", "link", "set", name, "mtu", str(mtu)]).check_returncode()
