"""The settings when a ledger was read: all that its explanations know.

Remedies that depend on machine, engine or generator are in there as a user types them: a call such
as ``Traffic(cpu=1)`` shows only the arguments to add to the user's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xdplab.core.errors import XdplabError
from xdplab.core.kernel_release import kernel_release
from xdplab.ledger.overflow import Overflow
from xdplab.net.driver_counters import AS_VETH
from xdplab.net.filtering import Filtering
from xdplab.net.shell_commands import ip_in
from xdplab.net.virtio import queues_that_stay

if TYPE_CHECKING:
    from xdplab.ledger.subjects import CountedEngine, CountedTraffic
    from xdplab.net.interface import Interface

_VETH_STOPS = (6, 16)
"""The kernel since which a veth with a queueing discipline stops its queue when the ring at its far
end is full; before, it dropped the frame whatever it had."""

_SLOW = 2000  # packets a second: a generator sleeps between them, and a wire holds 0.1 s of them


@dataclass(frozen=True)
class Situation:
    """The settings when a ledger was read."""

    interface: str = "the interface"
    name: str = ""
    """The engine's own name, if it has one."""
    queues: tuple[int, ...] = (0,)
    stray_queues: tuple[int, ...] = ()
    """Queues without an engine on which packets came, where the driver counts by queue."""
    queue_count: int = 0
    """Queues that the interface has; 0 where that is not known."""
    running: bool = True
    fault: str = ""
    """Why a worker ended by itself."""
    lost_program: str = ""
    """Why packets no longer reach the engine, where its workers go on."""
    bypassed: bool = False
    """Whether packets went past the engine at some time since the ledger began."""
    gone: tuple[str, ...] = ()
    """Interfaces that are no longer where they were."""
    broken_links: tuple[str, ...] = ()
    """Which interfaces frames can't pass, why, and what to do: a sentence each."""
    carrier_losses: Mapping[str, int] = field(default_factory=dict)
    """How often an interface lost its carrier since the ledger began."""
    drops: tuple[str, ...] = ()
    """What the kernel dropped, and why, in sentences."""
    sends: bool = False
    delivers: bool = False
    """Whether packets go to Python, whose program is the worker."""
    users_program: bool = False
    """Whether the XDP program is the user's own."""
    counts_verdicts: bool = False
    """Whether the driver counts what that did."""
    joins: bool = False
    """Whether the engine joins two interfaces."""
    match: str = ""
    """Which packets the engine takes; empty for all."""
    handler: str = ""
    """What is wrong with its handler, in sentences."""
    in_handler: bool = False
    """Whether a worker is inside of it."""
    held: int = 0
    """Frames that it had when the ledger was read."""
    path: str = "xsk"
    kind: str = "xsk"
    """The kind of the path: "xsk", "udp", "packet" or "program"."""
    socket_buffer: int = 0
    wait: str = "poll"
    timer: int = 0
    """Microseconds that the wait strategy timer sleeps."""
    paced: bool = False
    """Whether `Engine.pace` held the workers back at some time since the ledger began."""
    batch: int = 64
    ring_size: int = 2048
    cpus: tuple[int, ...] = ()
    overflow: Overflow | None = None
    generator_cpu: int | None = None
    """None without a generator."""
    frame_size: int = 0
    """Bytes of a frame of the generator."""
    mtu: int = 1500
    """MTU of the generator's interface."""
    port_mtu: int = 1500
    """MTU of the engine's interface."""
    queues_first: str = ""
    """The command that sets the queues, where the driver has more of them with an XDP program."""
    attach: str = "native"
    filtering: Filtering | None = None
    """How the engine's interface filters by address, where no packet came."""
    umem_frame: int = 2048
    """Bytes of a frame of the UMEM."""
    headroom: int = 0
    began_quiet: bool = True
    flowing: bool = False
    """Whether counts were still growing."""
    senders: tuple[str, ...] = ()
    """Senders that were still sending, each with the call that stops it."""
    sent_besides: int = 0
    """Frames that others sent by the generator's interface in its way."""
    slower: str = ""
    """The assignment that lowers the sender's rate, as a user types it."""
    other_core: int | None = None
    """A core that neither a worker nor the generator runs on."""
    steering: str = ""
    """The argument or command that brings packets to the engine's queues, as a user types it."""
    queueing: tuple[str, ...] = ()
    """Commands that make frames wait where the device can't take them at once."""
    generator_queueing: tuple[str, ...] = ()
    """The same for the generator's interface, where its frames can wait there."""
    reconfigured: Mapping[str, object] = field(default_factory=dict)
    """Settings that `Engine.reconfigure` changed since the ledger began, by their flat names."""
    went_uncounted: bool = False
    """Whether there was no XDP program for a moment, on a driver that does not count each frame."""
    simulated: bool = False
    """Whether the interface is a soft NIC's."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """Faults that a soft NIC was told to have: one frame in so many, by the fault's name."""
    replays: bool = False
    """Whether the generator sends a capture file's frames."""
    checksum_remedies: tuple[str, ...] = ()
    """Commands that make packets arrive with finished checksums."""
    sent_back: tuple[str, ...] = ()
    """Why what a program of the user's sends back does not arrive, and what helps, in sentences."""
    length_remedies: tuple[str, ...] = ()
    """Commands that keep packets from being longer than the MTU."""
    left_out: int = 0
    """Frames of the capture file that can't be sent."""
    remarks: tuple[str, ...] = ()
    """Notes on frames of the capture file that are left out, or not sent as captured."""


ENDED = "The worker has ended."
STOPPED = "The worker is stopped: engine.start() lets it take them."
"""Why a ring or a buffer stays full."""


def first(*rows: tuple[object, str]) -> str:
    """Return the text of the first row whose condition holds; the empty string if none does."""
    return next((text for condition, text in rows if condition), "")


def slower(engine: CountedEngine, traffic: CountedTraffic | None) -> str:
    """Return the assignment that lowers the sender's rate; empty where the sender is not known."""
    if traffic is not None:
        return f"traffic.rate = {_less(traffic.rate)}"
    return f"engine.stream_rate = {_less(engine.stream_rate)}" if engine.stream is not None else ""


def _less(rate: float | str) -> int:
    return _SLOW if isinstance(rate, str) else max(min(_SLOW, int(rate / 2)), 1)


def other_core(engine: CountedEngine, traffic: CountedTraffic | None) -> int | None:
    """Return a core on which neither a worker nor the generator is; None where there is none."""
    taken = {*engine.cpus, *([traffic.cpu] if traffic else [])}
    return max(os.sched_getaffinity(0) - taken, default=None)


def steering(engine: CountedEngine, traffic: CountedTraffic | None) -> str:
    """Return the argument or command that brings packets to the engine's queues; empty without one.

    The generator's frames reach queue (its core modulo queues) of a veth. A card spreads packets
    over a range of queues.
    """
    first, queues, cores = engine.configuration.interfaces[0], 0, os.sched_getaffinity(0)
    with suppress(XdplabError):
        queues = first.now().queues
    if traffic is not None:
        leading = [core for core in cores if queues and core % queues in engine.queues]
        apart = [core for core in leading if core not in engine.cpus] or leading
        return f"Traffic(cpu={apart[0]})" if apart else ""
    if first.driver in AS_VETH or not _is_range(engine.queues):
        return ""
    return f"`ethtool -X {first.name} start {min(engine.queues)} equal {len(engine.queues)}`"


def queues_first(engine: CountedEngine) -> tuple[str, int]:
    """Return the command that sets queues that stay, and their number; "" and 0 without need.

    Needed where the driver added queues for the XDP program: an engine can't name them before.
    """
    for before in engine.configuration.interfaces:
        with suppress(XdplabError):
            now = before.now()
            if now.queues > before.queues and (most := queues_that_stay(now)):
                return f"`ethtool -L {now.name} combined {most}`", most
    return "", 0


def _is_range(numbers: Collection[int]) -> bool:
    return max(numbers) - min(numbers) == len(numbers) - 1


def queueing(interfaces: Sequence[Interface]) -> tuple[str, ...]:
    """Return commands that make frames wait where interfaces can't send them at once."""
    if kernel_release() < _VETH_STOPS:
        return ()
    found = []
    for interface in interfaces:
        with suppress(XdplabError, OSError):
            # tc(8) has ip(8)'s way of naming a namespace.
            tc = re.sub(r"\bip( -n \S+)?$", r"tc\1", ip_in(interface.namespace))
            found.append(f"{tc} qdisc replace dev {interface.name} root pfifo")
    return tuple(found)
