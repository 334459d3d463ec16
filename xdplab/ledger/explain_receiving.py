"""The words of a ledger for packets that did not get from the XDP program to the worker.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xdplab.configuration.configuration import LARGEST_RING
from xdplab.configuration.umem import (
    LARGEST_REAL_FRAME,
    MOST_FRAMES,
    SMALLEST_LONG_RING,
    XDP_HEADROOM,
)
from xdplab.core.text import counted, duration, percent, rate
from xdplab.ledger.explain_capture import late, no_frame
from xdplab.ledger.explain_sockets import buffer_full
from xdplab.ledger.explain_wire import another_core, lower_rate, uncut
from xdplab.ledger.lines import Line
from xdplab.ledger.overflow import SPINNING, Overflow
from xdplab.ledger.situation import ENDED, STOPPED, Situation, first

_FAIR_BATCH = 64  # packets: from here on a larger batch makes a worker hardly faster
_NEARLY_ALL = 0.95  # of the time
_WAKES_WITHIN = 0.5e-3  # seconds, if its core is free
_WAKE_UP = 50e-6  # seconds, as a rule; by a timer as by a packet
_HEADERS = 18  # Ethernet, with one VLAN tag


def no_socket(now: Situation) -> str:
    """Say why packets found no socket, and which setting captures them.

    Parameters
    ----------
    now
        The settings.
    """
    strays = now.stray_queues
    return first(
        (
            now.lost_program and not strays,
            " went to the stack: the XDP program has no socket for them any more (above).",
        ),
        (
            now.bypassed and not strays,
            " went to the stack while the XDP program had no socket for them, which someone else "
            "had removed. engine.reconfigure() has put it back.",
        ),
        (
            len(now.queues) >= now.queue_count > 0 and not strays,
            " found no socket on a queue that has an engine, and went to the stack: something else "
            "has taken the socket out of the XDP program's map. engine.reconfigure() puts it back.",
        ),
        (True, f"{_came(now)}, and went to the stack. {_more_queues(now)}{_steered(now)}."),
    )


def _came(now: Situation) -> str:
    if not now.stray_queues:
        return " came on a queue without an engine"
    named = ", ".join(str(queue) for queue in now.stray_queues)
    on = "queue" if len(now.stray_queues) == 1 else "the queues"
    return f" came on {on} {named}, where no engine is"


def _more_queues(now: Situation) -> str:
    if now.queues_first:
        return (
            "The driver has more queues while it has an XDP program. Close the engine, set the "
            f"queues, {now.queues_first}, and {_all_queues(now)} captures on all of them"
        )
    if not now.stray_queues:
        return f"Name more queues: {_all_queues(now)}"
    queues = sorted({*now.queues, *now.stray_queues})
    return f"Engine(queue={queues}) captures on all of them, a worker each"


def _steered(now: Situation) -> str:
    if not now.steering:
        return ""
    if now.generator_cpu is None:
        return f"; or {now.steering} steers them"
    return (
        "; or steer the generator: on veth its frames arrive on queue (its core modulo queues), "
        f"and it runs on core {now.generator_cpu}: {now.steering}"
    )


def _all_queues(now: Situation) -> str:
    """Return the argument by which an engine has every queue that there is."""
    return f"Engine(queue={list(range(max(now.queue_count, 2)))})"


def ring_full(now: Situation) -> str:
    """Say why a worker's RX ring, or its socket's buffer, was full, and which knob helps.

    Parameters
    ----------
    now
        The settings.
    """
    return buffer_full(now) if now.kind != "xsk" else _rx_ring_full(now)


def _rx_ring_full(now: Situation) -> str:
    did = now.overflow or Overflow()
    known = now.overflow is not None
    wait, size = did.wait or now.wait, did.ring_size or now.ring_size
    larger, apart, slower = _larger(now), another_core(now), lower_rate(now)
    more_wait = f", or let more packets wait: {larger}" if larger else ""
    different = [f"{apart} gives them different ones"] if apart else []
    different += [f"{larger} lets more packets wait"] if larger else []
    its_own = [f"{apart} gives it another"] if apart else []
    bridge = _bridge(now, size)
    workers = (
        f"more queues with a worker each, {_all_queues(now)}, or " if now.queue_count != 1 else ""
    )
    batch = f"a larger batch, engine.batch = {_FAIR_BATCH}, or " if now.batch < _FAIR_BATCH else ""
    limit = "most of it in the kernel, which sends" if now.sends else "as fast as it gets"
    awake = "a strategy that does not sleep, engine.wait = 'spin' or engine.wait = 'adaptive',"
    why = first(
        (now.fault, ENDED),
        (not now.running and (did.stopped or not known), STOPPED),
        (did.stopped, f"The worker was stopped then: leave it running{more_wait}."),
        (
            now.sends and now.broken_links,
            "It can't send while a link is down (above), and leaves there what it can't send.",
        ),
        (
            now.paced,
            "The worker was paced, a batch at a time (engine.pace), so that one can watch it: "
            "engine.pace = 0 lets it run as fast as packets come.",
        ),
        (now.delivers, late(now, larger)),
        (
            now.generator_cpu in now.cpus,
            f"Generator and worker share core {now.generator_cpu}, and one waits while the other "
            f"runs: {', and '.join([*different, slower])}.",
        ),
        (
            did.saturated,
            f"It was busy all the time, {limit}: {batch}{workers}{slower}. A larger ring_size only "
            "puts the loss off.",
        ),
        (
            known and (wait in SPINNING or did.contended) and did.ran < _NEARLY_ALL,
            f"Something else had its core for {percent(1 - did.ran)} of {_the_time(did)}. "
            f"{_helps(its_own, slower)}{bridge}",
        ),
        (wait in SPINNING, f"More came at once than it could take: {slower} avoids it.{bridge}"),
        (
            wait == "timer" and 0 < did.fills_in < 2e-6 * now.timer + _WAKE_UP,
            _slept_by_the_timer(now, did, awake),
        ),
        (
            did.fills_in > _WAKES_WITHIN,
            f"It slept (wait={wait!r}), and did not come back in time: at {rate(did.pps, 3)} the "
            f"ring takes {duration(did.fills_in * 1e9)} to fill, and a wake-up some 50 µs, so "
            f"something else had the core. {_helps(its_own, slower)}{bridge}",
        ),
        (
            did.away > _WAKES_WITHIN,
            f"It slept (wait={wait!r}), and came back to its core after {duration(did.away * 1e9)} "
            "on average. A wake-up takes some 50 µs, so something else had the core. "
            f"{_helps(its_own, slower)}{bridge}",
        ),
        (
            True,
            f"It sleeps when there is nothing to do (wait={wait!r}), and the ring filled before "
            f"it was awake: {awake} avoids it.{bridge}",
        ),
    )
    return (
        f" came while the RX ring was full: all of its {size:,} entries held packets that the "
        f"worker had not taken yet. {why}"
    )


def _slept_by_the_timer(now: Situation, did: Overflow, awake: str) -> str:
    """Say which sleep is short enough, with the wake-up after it; or that none is."""
    words = (
        f"It slept for {now.timer} µs at a time, whatever came (wait='timer'), and at "
        f"{rate(did.pps, 3)} the ring takes {duration(did.fills_in * 1e9)} to fill"
    )
    larger = _larger(now)
    if (short := int((did.fills_in - _WAKE_UP) * 1e6 / 4)) > 0:
        more_wait = f", or let more packets wait: {larger}" if larger else ""
        return f"{words}: engine.timer_microseconds = {short} wakes it in time{more_wait}."
    helps = f"{larger} lets more packets wait" if larger else f"{awake} avoids it"
    return f"{words}, no longer than a wake-up after the shortest sleep: {helps}."


def _helps(its_own: list[str], slower: str) -> str:
    ways = ", or ".join([*its_own, f"{slower} avoids it"])
    return f"{ways[0].upper() if not its_own else ways[0]}{ways[1:]}."


def _the_time(did: Overflow) -> str:
    return f"the {duration(did.seconds * 1e9)} in which they came" if did.seconds else "the time"


def _bridge(now: Situation, size: int) -> str:
    """Say which ring would have held what came, or that none is large enough."""
    backlog = now.overflow.backlog if now.overflow else None
    if backlog is None:
        return f" {larger} lets more packets wait." if (larger := _larger(now)) else ""
    needed = 1 << (size + backlog - 1).bit_length()
    if needed > LARGEST_RING:
        return (
            f" No ring is large enough for that: {size + backlog:,} packets would have had to "
            f"wait, and the largest has {LARGEST_RING:,} entries."
        )
    if needed <= now.ring_size:
        return f" The ring has {now.ring_size:,} entries now, which is enough for that."
    return f" engine.reconfigure(ring_size={needed}) bridges such a pause."


def no_fill(now: Situation) -> str:
    """Say why there was no frame for a packet, and which knob helps.

    Parameters
    ----------
    now
        The settings.
    """
    if now.delivers:
        return no_frame(now, _larger(now))
    batch = max(now.ring_size // 4, 1)
    sending = " or is being sent" if now.sends else ""
    larger = _larger(now)
    more = f", or have more frames: {larger}; the UMEM has twice as many" if larger else ""
    return (
        " came while the fill ring was empty: every frame of the UMEM waited in the RX ring, or "
        f"was in the worker's hands{sending}. A worker that loses its core amid a batch holds "
        f"all of it: take smaller ones, engine.batch = {batch}{more}."
    )


def _larger(now: Situation) -> str:
    """Return the setting that makes the rings larger; empty where they are the largest."""
    size = min(4 * now.ring_size, LARGEST_RING)
    return f"engine.reconfigure(ring_size={size})" if size > now.ring_size else ""


def too_large(now: Situation) -> str:
    """Say why packets did not fit a frame of the UMEM, and which setting takes them.

    Parameters
    ----------
    now
        The settings.
    """
    room = now.umem_frame - XDP_HEADROOM - now.headroom
    what = (
        f" did not fit a UMEM frame, which has room for {room:,} bytes: its frame_size of "
        f"{now.umem_frame:,} less {XDP_HEADROOM + now.headroom} in front. "
    )
    wanted = now.port_mtu + _HEADERS + XDP_HEADROOM + now.headroom
    mtu = f"or let the sender's MTU be {room - _HEADERS:,} or less."
    if now.attach == "skb" and not now.simulated and now.sends:
        return f"{what}{_of_the_mtu(now, wanted)}{_merged(now)}"
    if now.attach == "skb" and not now.simulated:
        several = _several(now, LARGEST_REAL_FRAME)
        return (
            f"{what}With attach='skb', the stack hands over what GRO, or a sender on this machine, "
            f"merged of a stream, up to 64 KiB: {several} takes such packets in several frames "
            f"(Linux 6.9); {mtu[:-1]}, and what merges packets be off: `sudo ethtool -K "
            f"{now.interface} gro off`, and `tso off gso off` on a sender that is on this machine."
        )
    if now.umem_frame < wanted <= LARGEST_REAL_FRAME:
        larger = f"engine.reconfigure(frame_size={LARGEST_REAL_FRAME})"
        return f"{what}{larger} has room for all that an MTU of {now.port_mtu:,} lets pass; {mtu}"
    if now.simulated:
        return f"{what}Larger frames there are none: make a lab of a smaller MTU, Lab(mtu=1500)."
    return f"{what}{_several(now)} takes a packet in several frames (Linux 6.6); {mtu}"


def too_many(now: Situation) -> str:
    """Say why packets came in more frames than a packet may have.

    Parameters
    ----------
    now
        The settings.
    """
    what = (
        f" came in more UMEM frames than can be sent as one packet ({MOST_FRAMES}), and were "
        "dropped. "
    )
    if now.umem_frame < LARGEST_REAL_FRAME:
        return (
            f"{what}engine.reconfigure(frame_size={LARGEST_REAL_FRAME}) takes "
            f"{MOST_FRAMES * (LARGEST_REAL_FRAME - XDP_HEADROOM - now.headroom):,} bytes."
        )
    most = MOST_FRAMES * (now.umem_frame - XDP_HEADROOM - now.headroom)
    less = "a smaller headroom, or " if now.headroom else ""
    return f"{what}Larger frames there are none: choose {less}packets of {most:,} bytes or less."


def _of_the_mtu(now: Situation, wanted: int) -> str:
    """Say which setting takes packets up to the MTU, if a frame is too small for them."""
    if now.umem_frame >= wanted:
        return ""
    if wanted <= LARGEST_REAL_FRAME:
        remedy = f"engine.reconfigure(frame_size={LARGEST_REAL_FRAME}) has room for"
    else:
        remedy = f"{_several(now)} takes in several frames (Linux 6.9)"
    return f"{remedy} all that an MTU of {now.port_mtu:,} lets pass. "


def _merged(now: Situation) -> str:
    """Say why packets are longer than the MTU, and which command prevents that."""
    return (
        "With attach='skb', the stack hands over what GRO, or a sender on this machine, merged of "
        "a stream, up to 64 KiB. That is longer than the MTU, so no engine can send it on. "
        f"{uncut(now)}"
    )


def _several(now: Situation, frame_size: int = 0) -> str:
    words = ["multi_buffer=True"]
    if now.umem_frame < frame_size:
        words.append(f"frame_size={frame_size}")
    if now.ring_size < SMALLEST_LONG_RING:
        words.append(f"ring_size={SMALLEST_LONG_RING}")
    return f"engine.reconfigure({', '.join(words)})"


def left_to_the_stack(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    """Say which packets went to the stack and not to the path, which is no loss.

    Parameters
    ----------
    counts
        Packets by the line.
    now
        The settings.
    """
    if count := counts.get(Line.STACK):
        passed = counted(count, "packet")
        yield (
            f"{passed} went to the stack as ever: not datagrams for this socket. That is no loss."
            if now.kind == "udp"
            else f"{passed} went to the stack: ARP and IPv6 neighbour discovery, which the program "
            f"leaves to it so that {now.interface} can be reached. That is no loss."
        )
    if count := counts.get(Line.UNMATCHED):
        yield (
            f"{counted(count, 'packet')} went to the stack untouched: match={now.match!r} does not "
            "take them. That is no loss; engine.reconfigure(match='') takes them, too."
        )


def filtered(now: Situation) -> str:
    """Say what an interface may have filtered out, and what makes it accept that; empty if nothing.

    Parameters
    ----------
    now
        The settings.
    """
    by = now.filtering
    if by is None:
        return ""
    takes_in = "only what is for its own address, for all, or for a group that was joined here"
    ask = "engine.reconfigure(promiscuous=True)"
    if not by.above:
        return "" if by.promiscuous else f" It takes in {takes_in}: {ask} takes in the rest."
    groups = "" if by.promiscuous else f" {ask} has it given all multicast."
    lower = (
        f"engine.close(), and Engine({by.below!r}, attach='skb', promiscuous=True) captures it "
        "there, with all else."
        if by.below
        else "capture there, in the other namespace where that is."
    )
    return (
        f" As a {by.above} it is given {takes_in}.{groups} Unicast for others comes to "
        f"{by.below or 'the interface'} below it alone: {lower}"
    )
