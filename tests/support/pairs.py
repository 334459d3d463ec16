"""Two ports joined by a wire, in a mode: veth, or in a guest of `make vm` two cards."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from support.cards import MODES, wait_until_frames_pass
from support.xskmaps import steering
from xdplab import Capture, ConfigurationError, Engine, Host, Link, Program, XdplabError
from xdplab.capture.receiver import Receiver
from xdplab.configuration.keywords import grouped
from xdplab.configuration.umem import longest_with_zero_copy

PROTOCOL = 0x88B5  # for experiments, IEEE 802
MATCH = f"ether proto {PROTOCOL:#x}"  # which a card hashes not, so that it comes by queue 0
HEADER = b"\xff" * 6 + b"\2\0\0\0\0\1" + PROTOCOL.to_bytes(2)
RING = 64
AT_ONCE = 16  # frames: what a wire and each ring hold
_VARIABLES = """
const volatile __u32 drops_odd = 0, sockets_a_queue = 1;
const volatile int lengthens_by = 0;
"""
_PROGRAM = f"""
	if (data + {len(HEADER) + 1} > end || (data[12] << 8 | data[13]) != {PROTOCOL:#x})
		return XDP_PASS;
	const __u32 number = data[{len(HEADER)}];
	if (drops_odd && number % 2)
		return XDP_DROP;
	if (lengthens_by) {{
		const long refused = bpf_xdp_adjust_tail(context, lengthens_by);
		if (refused) {{
			*counted = -refused;
			return XDP_DROP;
		}}
	}}
	const __u32 entry = context->rx_queue_index * sockets_a_queue + number % sockets_a_queue;
	return bpf_redirect_map(&sockets, entry, XDP_PASS);"""
"""In C, for `steering`: leaves to the stack what others send. A frame's first byte behind its
header is its number. One source for all: an emulated processor compiles for ten seconds."""
_LONG_MTU = 9000
_PATIENCE = 30.0  # seconds


class StayingPrograms:
    """A program on each card that stays there: a card sets its link up anew for an attachment.

    It sends what is ours to an engine's socket, as an engine's own program does.
    """

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._left_out = False

    def link(self, host: Host, attach: str) -> Link | None:
        """Return the link on a host's card; None within `left_out`."""
        if self._left_out:
            return None
        name = host.interface.name
        link = self._links.get(name)
        if link is None or link.attach != attach:
            if link is not None:
                link.close()
                link.program.close()
            program = Program(steering(_PROGRAM, variables=_VARIABLES), host)
            link = self._links[name] = program.attach(attach=attach)
        return link

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Have none on the cards."""
        self.close()
        self._left_out = True
        try:
            yield
        finally:
            self._left_out = False

    def close(self) -> None:
        """Take them off."""
        for link in self._links.values():
            link.close()
            link.program.close()
        self._links.clear()


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
    staying: StayingPrograms | None = None
    """On cards."""

    @property
    def on_veth(self) -> bool:
        """Whether there is no card."""
        return self.first.interface.driver == "veth"

    @property
    def attach(self) -> str:
        """The argument of this name."""
        return MODES[self.mode][0]

    def settings(self, host: Host, **settings: Any) -> dict[str, Any]:
        """Return the arguments of an engine, with these in place of the usual ones."""
        usual = {
            "attach": self.attach,
            "bind": MODES[self.mode][1],
            "wait": "busy-poll" if self.busy else "spin",
            "ring_size": RING,
            "frame_size": 4096,
        }
        if "program" not in settings:
            link = self.staying.link(host, self.attach) if self.staying else None
            usual |= {"program": link.program} if link else {"match": MATCH}
        return grouped({**usual, **settings})

    @contextmanager
    def program(
        self, several_buffers: bool = False, **constants: int
    ) -> Iterator[tuple[Program, Link]]:
        """Have a program on the first host that gives what is ours to an engine.

        Parameters
        ----------
        several_buffers
            Whether it takes packets of these.
        constants
            ``drops_odd``: drops frames of odd numbers. ``lengthens_by``: moves the end of packets
            by so many bytes. ``sockets_a_queue``: among which the number chooses.
        """
        section = "xdp.frags" if several_buffers else "xdp"
        source = steering(_PROGRAM, section=section, variables=_VARIABLES)
        with Program(source, self.first, constants=constants) as program:
            link = self.staying.link(self.first, self.attach) if self.staying else None
            if link is None:
                yield program, program.attach(attach=self.attach)
                return
            before = link.program
            link.replace(program)
            try:
                yield program, link
            finally:
                link.replace(before)

    @contextmanager
    def own_programs(self) -> Iterator[None]:
        """Let engines attach their own programs."""
        with self.staying.left_out() if self.staying else nullcontext():
            yield

    @contextmanager
    def capture(self, host: Host | None = None, **settings: Any) -> Iterator[Capture]:
        """Have a capture, by default on the first host."""
        host = host or self.first
        with Capture(host, **self.settings(host, **settings)) as made:
            self.wait()
            yield made
            self._note(made)

    @contextmanager
    def ends(
        self, sending: Mapping[str, Any] | None = None, /, **settings: Any
    ) -> Iterator[tuple[Capture, Capture]]:
        """Have a sender, on the second host, and a receiver on the first.

        Parameters
        ----------
        sending
            The sender's settings; by default those of the receiver.
        settings
            The receiver's.
        """
        wanted = (self.second, settings if sending is None else sending), (self.first, settings)
        # Side by side, since a card may set its link up anew for each.
        with ThreadPoolExecutor(2) as threads, ExitStack() as undo:
            opening = [
                threads.submit(Capture, host, **self.settings(host, **its)) for host, its in wanted
            ]
            for each in opening:
                if each.exception() is None:
                    undo.enter_context(each.result())
            sender, receiver = (each.result() for each in opening)
            self.wait()
            yield sender, receiver
            self._note(receiver)

    @contextmanager
    def engine(self, **settings: Any) -> Iterator[Engine]:
        """Have an engine on the first host."""
        with Engine(self.first, **self.settings(self.first, **settings)) as made:
            self.wait()
            yield made
            self._note(made)

    def wait(self) -> None:
        """Wait until frames pass."""
        wait_until_frames_pass(self.second, self.first)

    @contextmanager
    def long_packets(self) -> Iterator[None]:
        """Let both have packets of 9,000 bytes behind the Ethernet header."""
        with self.own_programs(), ExitStack() as undo:
            for host in (self.first, self.second):
                before = host.interface.look().mtu
                undo.callback(_set_mtu, host, before)
                _set_mtu(host, _LONG_MTU)
            yield

    def refuses_several_buffers(self) -> bool:
        """See that an engine for packets of several is refused, and note it, where it is."""
        if self.on_veth or self.mode == "skb":
            return False
        # A zero-copy driver refuses the socket, whatever the MTU is.
        with nullcontext() if self.mode == "zero-copy" else self.long_packets():
            try:
                Capture(self.first, **self.settings(self.first, multi_buffer=True)).close()
            except XdplabError as refusal:
                self.refused(refusal)
                return True
        raise AssertionError("it is not refused")

    def refuses_small_frames(self) -> bool:
        """See that frames into which a card puts no whole packet are refused, and note it."""
        driver, mtu = self.first.interface.driver, self.first.interface.look().mtu
        longest = longest_with_zero_copy(driver, 2048, 0)
        if self.mode != "zero-copy" or longest is None or longest > mtu:
            return False
        try:
            Capture(self.first, **self.settings(self.first, frame_size=2048)).close()
        except ConfigurationError as refusal:
            assert "frame_size=4096" in str(refusal)
            self.refused(refusal)
            return True
        raise AssertionError("it is not refused")

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
