"""The table of knobs: what can be turned while packets flow, one row a knob.

A row is an attribute of the class that has the knob, under the one name that it has everywhere: as
attribute, trait and slider of `Controls`, setting, axis of a sweep, dimension of a search, command
line option, in the journal and in the documentation (docs/knobs.md). A new knob is a row here and,
in the control block (native/include/telemetry.h), a word that a worker reads.

Of a class, knobs are turned and shown in the order of their rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from xdplab.configuration.binding import ATTACH_MODES, BIND_MODES
from xdplab.configuration.configuration import ACTIONS, LARGEST_RING, WAIT_STRATEGIES
from xdplab.configuration.groups import CHECKSUMS, HIGHEST_PRIORITY, RAREST_SAMPLE
from xdplab.core.named import Named
from xdplab.core.text import rate
from xdplab.knobs import offers, words
from xdplab.knobs.kinds import PACE, RATE, SHARE, SWITCH, THREADED_NAPI, choice, other, whole
from xdplab.knobs.row import Holder, Home, Knob, Needs, Search
from xdplab.native import lib
from xdplab.net import stream
from xdplab.net.stream import Rate
from xdplab.net.threaded import THREADED, Threaded

_LONGEST_TIMEOUT = 10**9  # ns; the kernel takes any, but then hardly ever polls the queue
_MOST_DEFERRALS = (1 << 31) - 1  # the kernel's own limit
_LARGEST_FIELD = (1 << 32) - 1  # of the kernel's messages; drivers take less
_LARGEST_SHOWN_BURST = 1 << 16


class SocketKnobs(Holder):
    """What takes new sockets: read from `Engine.configuration`, set by `Engine.reconfigure`."""

    home = "sockets"

    queue = Knob[Any](
        other("int, or a list of them", "of the interface's receive queues, as many as there were"),
        default=0,
        label="Queue",
        help="Receive queue that it captures from, or several, a worker each",
    )
    cpu = Knob[Any](
        other("int, or a list of them", "cores that this process may run on"),
        default="chosen",
        label="Core",
        help="Core of the worker, or one for each; chosen from the last that this process may use "
        "downwards, those that serve the interface's interrupts last",
        search=Search(offers.free_cores),
    )
    realtime = Knob[int](
        whole(0, HIGHEST_PRIORITY),
        default=0,
        label="Priority",
        help="Priority of the workers as SCHED_FIFO threads, which needs CAP_SYS_NICE; 0 for none",
    )
    attach = Knob[str](
        choice(ATTACH_MODES),
        default="native",
        label="Attach",
        help="Whether the XDP program runs in the driver or in the stack",
    )
    bind = Knob[str](
        choice(BIND_MODES),
        default="auto",
        label="Bind",
        help="Whether the driver writes into the UMEM itself, or the kernel copies",
    )
    ring_size = Knob[int](
        other("int", f"a power of two, 2 to {LARGEST_RING:,}"),
        default=2048,
        label="Ring size",
        help="Entries of the RX, TX and completion rings; the fill ring has twice as many",
        unit="frames",
        acts=offers.waits_in_rings,
        search=Search((512, 1024, 2048, 4096, 8192)),
    )
    frame_size = Knob[int](
        other("int", "2,048 or 4,096; with unaligned=True also multiples of 8 between them"),
        default=2048,
        label="Frame size",
        help="Bytes of a UMEM frame, of which 256 are the kernel's",
        unit="bytes",
    )
    headroom = Knob[int](
        other("int", "a multiple of 8, from 0"),
        default=0,
        label="Headroom",
        help="Bytes left free before each packet",
        unit="bytes",
    )
    unaligned = Knob[bool](
        SWITCH,
        default=False,
        label="Unaligned",
        help="Whether frame_size may be no power of two",
    )
    huge_pages = Knob[Any](
        other("bool or str", 'True, False, or "auto"'),
        default=False,
        label="Huge pages",
        help="Whether the UMEM lies in pages of 2 MiB that were set aside",
    )
    multi_buffer = Knob[bool](
        SWITCH,
        default=False,
        label="Multi-buffer",
        help="Whether a packet may fill several frames, as an MTU of 9000 takes",
    )
    match = Knob[str](
        other("str", "a filter in the syntax of tcpdump; an empty one takes all"),
        default="",
        label="Match",
        help="Which packets the XDP program takes; all others go to the stack untouched",
    )
    promiscuous = Knob[bool](
        SWITCH,
        default=False,
        label="Promiscuous",
        help="Whether the interface takes in what is for other addresses, too",
    )


class NapiKnobs(Holder):
    """How packets leave the driver: `xdplab.knobs.napi` has what sets them."""

    home = "napi"

    threaded = Knob[Threaded | None](
        THREADED_NAPI,
        default="the device's",
        label="Threaded",
        help='Whether a kernel thread runs NAPI, not a softirq; with "busy-poll" the thread polls '
        "without a pause",
        more="""The scheduler places the thread. On the core of a worker that spins, it hardly ever
        runs. One that is switched off and on again here is another thread, and goes to the cores
        that the first was bound to.

        A thread that busy-polls takes a whole core from its first packet on, and lets no interrupt
        come (Documentation/networking/napi.rst, "Threaded NAPI Busy Polling", Linux 6.19).""",
        text=words.threaded,
        stops=lambda _engine: THREADED,
        menu=True,
        search=Search((False, True)),
    )
    defer_hard_irqs = Knob[int | None](
        whole(0, _MOST_DEFERRALS),
        default="the device's",
        label="Defer IRQs",
        help="How many empty polls in a row before interrupts come on again; takes a flush timeout",
        more="""Meanwhile a timer polls, after `gro_flush_timeout`; without that it has no effect.
        On veth the sender's wake-up is what is held off.""",
        unit="polls",
        text=words.number,
        stops=lambda _engine: (0, 1, 2, 5, 10, 20, 50, 100),
        slow=True,
        search=Search((0, 10, 100)),
    )
    gro_flush_timeout = Knob[int | None](
        whole(0, _LONGEST_TIMEOUT),
        default="the device's",
        label="Flush timeout",
        help="How long until the timer polls, while interrupts are deferred",
        more="""With `defer_hard_irqs`, packets arrive in batches so far apart: fewer wake-ups, for
        so much latency. Alone, it is how long GRO may hold packets back to join them.""",
        unit="ns",
        text=words.nanoseconds,
        stops=lambda _engine: [0, *words.one_two_five(1_000, 1_000_000)],
        slow=True,
        search=Search((0, 20_000, 50_000, 200_000), Needs("defer_hard_irqs", but=(0, None))),
    )
    irq_suspend_timeout = Knob[int | None](
        whole(0, _LONGEST_TIMEOUT),
        default="the device's",
        label="Suspend IRQs",
        help="How long interrupts stay off after packets were found, with the wait strategy "
        "irq-suspend",
        more="""It takes effect where `defer_hard_irqs` and `gro_flush_timeout` are set as well
        (Documentation/networking/napi.rst, "IRQ suspension", Linux 6.13). Another program that
        busy-polls through epoll (EPIOCSPARAMS) makes use of it, too.""",
        unit="ns",
        text=words.nanoseconds,
        stops=lambda _engine: [0, *words.one_two_five(1_000_000, _LONGEST_TIMEOUT)],
        slow=True,
    )


class SteeringKnobs(Holder):
    """When packets leave a card, and how many wait in it: `xdplab.knobs.steering` sets them."""

    home = "steering"

    rx_ring = Knob[int | None](
        whole(0, _LARGEST_FIELD),
        default="the device's",
        label="Card RX ring",
        help="How many frames wait in each receive queue of the card",
        more="The kernel tells the most: `Steering` shows it. Drivers round it to what they take.",
        unit="frames",
        text=words.number,
        stops=offers.of_card_ring("rx_ring"),
        slow=True,
        exists=offers.card_has("rx_ring"),
    )
    tx_ring = Knob[int | None](
        whole(0, _LARGEST_FIELD),
        default="the device's",
        label="Card TX ring",
        help="How many frames wait in each send queue of the card",
        unit="frames",
        text=words.number,
        stops=offers.of_card_ring("tx_ring"),
        slow=True,
        exists=offers.card_has("tx_ring"),
    )
    rx_usecs = Knob[int | None](
        whole(0, _LARGEST_FIELD),
        default="the device's",
        label="rx-usecs",
        help="How long the card waits after a packet before it interrupts",
        more="igb reads 1 as a rate that it adapts, and 3 as one that it adapts with more care.",
        unit="µs",
        text=words.microseconds,
        stops=lambda _engine: [0, *words.one_two_five(1, 10_000)],
        slow=True,
        exists=offers.card_has("rx_usecs"),
    )
    rx_frames = Knob[int | None](
        whole(0, _LARGEST_FIELD),
        default="the device's",
        label="rx-frames",
        help="How many packets the card waits for before it interrupts",
        unit="packets",
        text=words.number,
        stops=lambda _engine: [0, *words.powers_of_two(256)],
        slow=True,
        exists=offers.card_has("rx_frames"),
    )
    tx_usecs = Knob[int | None](
        whole(0, _LARGEST_FIELD),
        default="the device's",
        label="tx-usecs",
        help="How long the card waits after it sent a packet before it interrupts",
        unit="µs",
        text=words.microseconds,
        stops=lambda _engine: [0, *words.one_two_five(1, 10_000)],
        slow=True,
        exists=offers.card_has("tx_usecs"),
    )
    tx_frames = Knob[int | None](
        whole(0, _LARGEST_FIELD),
        default="the device's",
        label="tx-frames",
        help="How many packets the card sends before it interrupts",
        unit="packets",
        text=words.number,
        stops=lambda _engine: [0, *words.powers_of_two(256)],
        slow=True,
        exists=offers.card_has("tx_frames"),
    )
    adaptive_rx = Knob[bool | None](
        SWITCH,
        default="the device's",
        label="Adaptive RX",
        help="Whether the driver chooses the time before an interrupt by the load",
        exists=offers.card_has("adaptive_rx"),
    )


class WorkerKnobs(Holder):
    """Words of the control block: a worker sees a new value on its next turn."""

    home = "engine"

    batch = Knob[int](
        whole(1, "ring_size"),
        default=64,
        label="Batch size",
        help="Most frames taken from the RX ring at once",
        unit="frames",
        text=words.number,
        stops=lambda engine: words.powers_of_two(engine.ring_size),
        search=Search((4, 16, 64, 256, 1024)),
    )
    wait = Knob[str](
        choice(WAIT_STRATEGIES),
        default="poll",
        label="Wait",
        help="What the worker does when the RX ring is empty",
        more="""Empty on a path that waits in its own way; to set it raises ConfigurationError
        there. A strategy that can do nothing on this device is set with a warning, and one that the
        kernel refuses is refused: see `wait_ineffective` and `wait_refused`.""",
        stops=lambda engine: engine.wait_strategies or ("",),
        menu=True,
        acts=offers.waits_in_rings,
        idle=lambda engine: engine.wait_ineffective,
        search=Search(offers.useful_waits),
    )
    spin_microseconds = Knob[int](
        whole(0, 1_000_000, scale=1000),
        word="spin_ns",
        default=50,
        label="Spin time",
        help="How much spinning it is worth to adaptive to be awake when a packet comes",
        more="""Of the gaps between the last packets it learns when the next one is likely. It spins
        then, if that takes no longer a packet, on average; else it sleeps until a packet comes. 0
        never spins.""",
        unit="µs",
        text=words.microseconds,
        stops=lambda _engine: [0, *words.one_two_five(1, 1_000_000)],
        acts=offers.waits_in_rings,
        needs=Needs("wait", ("adaptive",)),
        search=Search((10, 50, 200, 1000)),
    )
    spin_share = Knob[float](
        SHARE,
        word="spin_share_ppm",
        default=1.0,
        label="Spin share",
        help="Largest share of the time that adaptive spins; it sleeps for the rest",
        more="""Reckoned over stretches of 10 ms. What is left of a core for the worker's own work
        and its wake-ups is not counted.""",
        text=words.share,
        stops=lambda _engine: (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1),
        acts=offers.waits_in_rings,
        needs=Needs("wait", ("adaptive",)),
        search=Search((0.1, 0.5, 1)),
    )
    busy_poll_microseconds = Knob[int](
        whole(1, 10_000),
        default=20,
        label="Busy-poll time",
        help="How long busy-poll, uring-napi and epoll-napi drive NAPI at a time",
        unit="µs",
        text=words.microseconds,
        stops=lambda _engine: words.one_two_five(1, 10_000),
        acts=offers.waits_in_rings,
        needs=Needs("wait", ("busy-poll", "uring-napi", "epoll-napi")),
        search=Search((10, 50, 200)),
    )
    busy_poll_budget = Knob[int](
        whole(1, 65_535),
        default=64,
        label="Budget",
        help="Most packets that busy-poll, epoll-napi and irq-suspend let NAPI take at a time",
        more="The two on epoll take at most 64, as the kernel lets them.",
        unit="packets",
        text=words.number,
        stops=lambda _engine: words.powers_of_two(1024),
        acts=offers.waits_in_rings,
        needs=Needs("wait", ("busy-poll", "epoll-napi", "irq-suspend")),
        search=Search((8, 64, 256)),
    )
    timer_microseconds = Knob[int](
        whole(1, 10_000, scale=1000),
        word="timer_ns",
        default=200,
        label="Timer",
        help="How long timer sleeps",
        more="""A wake-up comes some 20 µs later, in which the worker gets its core.""",
        unit="µs",
        text=words.microseconds,
        stops=lambda _engine: words.one_two_five(1, 10_000),
        acts=offers.waits_in_rings,
        needs=Needs("wait", ("timer",)),
        search=Search((50, 200, 1000)),
    )
    action = Knob[str](
        choice(ACTIONS),
        default="drop",
        label="Action",
        help="What becomes of a packet",
        stops=offers.possible_actions,
        menu=True,
    )
    burst = Knob[int](
        whole(1, lib.XDPLAB_LARGEST_BURST),
        default=256,
        label="Burst budget",
        help="Most packets received before the worker looks at its knobs and the clock again",
        unit="packets",
        text=words.number,
        stops=lambda _engine: words.powers_of_two(_LARGEST_SHOWN_BURST),
        search=Search((64, 256, 1024, 4096)),
    )
    sample_every = Knob[int](
        whole(0, RAREST_SAMPLE),
        default=1000,
        label="Samples",
        help="1 frame in this many is kept as a sample, with its first bytes; 0 keeps none",
        text=words.sampling,
        stops=lambda _engine: [0, *(10**exponent for exponent in range(7))],
    )
    inspect = Knob[bool](
        SWITCH,
        default=False,
        label="Inspect every frame",
        help="Whether latency and sequence number of every frame are measured, or of samples only",
    )
    checksum = Knob[str](
        choice(CHECKSUMS),
        default="software",
        label="Checksums",
        help="Who finishes the checksum of a packet that is sent on, where its sender left that to "
        "a device",
        more="""A local stack leaves the checksums of TCP, UDP and SCTP to the device where that
        offers it, as veth does, and the device of the far end is to know: an AF_XDP frame can't
        say so, and its receiver drops it. With ``"software"`` the worker looks for such packets,
        behind VLAN tags, IP options and tunnels too, and adds what is missing; it changes no other.
        With ``"none"`` packets leave as they came, and one of each batch is looked at, so that the
        ledger can tell. With ``"device"`` the device is asked to add it; `Worker` tells what that
        takes, and an engine must begin with it.""",
        stops=offers.checksums,
        menu=True,
        needs=Needs("action", ("reflect", "echo", "forward")),
    )
    pace = Knob[float](
        PACE,
        word="pace_ns",
        default=0,
        label="Pace",
        help="How far batches are apart: slowly enough to be watched, or one by one with "
        "engine.step()",
        more="""0 is a worker that runs freely, ``math.inf`` one that takes single steps only, see
        `step`. A paced worker takes one batch a turn, in an order that shows each frame in each
        ring: what one turn puts into the TX ring, the next hands to the kernel, and the one after
        takes back from the completion ring. `Telemetry.rings` shows what the rings hold meanwhile.
        What finds the RX ring full is lost, and counted by the kernel.""",
        unit="s",
        text=words.pace,
        stops=lambda _engine: (0, 0.001, 0.01, 0.1, 0.5, 1, math.inf),
    )
    stream_rate = Knob[Rate](
        RATE,
        word="interval_ps",
        default="max",
        label="Rate",
        help="Frames a second that each worker sends of its own stream, with the action generate",
        unit="frames a second",
        text=rate,
        stops=offers.rates,
        group="traffic",
        exists=lambda engine: engine.stream is not None,
        needs=Needs("action", ("generate",)),
    )


class TrafficKnobs(Holder):
    """The generator's."""

    home = "traffic"

    rate = Knob[Rate | Literal["recorded"]](
        RATE,
        default="max",
        label="Rate",
        help="Frames a second that the generator sends",
        more='A replay has ``"recorded"`` as well: it keeps to the times of its file.',
        unit="frames a second",
        text=rate,
        stops=offers.rates,
    )
    size = Knob[int](
        whole(stream.SMALLEST_FRAME, stream.LARGEST_FRAME),
        default=64,
        label="Size",
        help="Bytes of a frame, without its checksum",
        more="""Can be set while it runs, and the numbers go on. A running generator takes it up
        within 20 ms or so, with its next run in the kernel. Of a replay it is the longest frame,
        and can't be set.""",
        unit="bytes",
        text=words.size,
        stops=lambda _engine: (60, 64, 128, 256, 512, 1024, 1280, 1514),
    )


def _rows(*classes: type[Holder]) -> Iterable[Knob[Any]]:
    return (row for each in classes for row in vars(each).values() if isinstance(row, Knob))


_HOLDERS = (SocketKnobs, SteeringKnobs, NapiKnobs, WorkerKnobs, TrafficKnobs)

# In the order in which a setting is turned, so that none is refused for what is still to come: the
# ring bounds the batch.
KNOBS: Mapping[str, Knob[Any]] = Named("knob", {knob.name: knob for knob in _rows(*_HOLDERS)})
"""All knobs by name."""


def names_of_home(home: Home) -> tuple[str, ...]:
    """Return the names of the knobs that are turned in one place."""
    return tuple(name for name, knob in KNOBS.items() if knob.home == home)
