"""The words of a ledger for packets that found an RX ring full, or a fill ring empty.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

from xdplab.configuration.configuration import LARGEST_RING
from xdplab.ledger import explain_links, explain_paths, explain_queues
from xdplab.ledger.situation import Situation

_SPINNING = ("spin", "busy-poll", "adaptive")
_SATURATED = 0.75  # of the time on its core: from here on a worker is called busy


def ring_full(now: Situation) -> str:
    """Say why a worker's RX ring, or its socket's buffer, was full, and which knob helps.

    Parameters
    ----------
    now
        The settings.
    """
    busy = now.overflow.busy if now.overflow else 0.0
    if now.kind != "xsk":
        return explain_paths.buffer_full(now, busy >= _SATURATED)
    what = (
        f" came while the RX ring was full: all of its {now.ring_size:,} entries held packets that "
        "the worker had not taken yet. "
    )
    larger = _larger(now)
    spins = now.wait in _SPINNING
    if now.fault:
        why = "The worker has ended."
    elif not now.running:
        why = "The worker is stopped: engine.start() lets it take them."
    elif now.overflow and now.overflow.stopped:
        wait = f", or let more packets wait: {larger}" if larger else ""
        why = f"The worker was stopped then: leave it running{wait}."
    elif blocked := explain_links.ring_full(now):
        why = blocked
    elif now.paced:
        why = (
            "The worker was paced, a batch at a time (engine.pace), so that one can watch it: "
            "engine.pace = 0 lets it run as fast as packets come."
        )
    elif now.generator_cpu in now.cpus:
        ways = [f"{another_core(now)} gives them different ones"] if another_core(now) else []
        ways += [f"{larger} lets more packets wait"] if larger else []
        why = (
            f"Generator and worker share core {now.generator_cpu}, and one waits while the other "
            f"runs: {', and '.join([*ways, lower_rate(now)])}."
        )
    elif busy >= _SATURATED:
        limit = "most of it in the kernel, which sends" if now.sends else "as fast as it gets"
        more = (
            f"more queues with a worker each, {explain_queues.all_queues(now)}, or "
            if now.queue_count != 1
            else ""
        )
        why = (
            f"It was busy all the time, {limit}: {more}{lower_rate(now)}. A larger ring_size only "
            "puts the loss off."
        )
    elif now.overflow and (spins or now.overflow.contended):
        ways = [f"{another_core(now)} gives it another"] if another_core(now) else []
        ways += [f"{larger} bridges the gaps"] if larger else []
        why = (
            f"Something else had its core for {1 - busy:.0%} of the time: "
            f"{', or '.join(ways or [lower_rate(now)])}."
        )
    elif spins:
        burst = f"{larger} bridges a burst; " if larger else ""
        why = f"More came at once than it could take: {burst}{lower_rate(now)} avoids it."
    else:
        bridge = f"{larger} bridges that, and " if larger else ""
        why = (
            f"It sleeps when there is nothing to do (wait={now.wait!r}), and the ring filled "
            f"before it was awake: {bridge}a strategy that does not sleep avoids it: "
            "engine.wait = 'spin' or engine.wait = 'adaptive'."
        )
    return what + why


def no_fill(now: Situation) -> str:
    """Say why there was no frame for a packet, and which knob helps.

    Parameters
    ----------
    now
        The settings.
    """
    batch = max(now.ring_size // 4, 1)
    sending = " or is being sent" if now.sends else ""
    larger = _larger(now)
    more = f", or have more frames: {larger}; the UMEM has twice as many" if larger else ""
    return (
        " came while the fill ring was empty: every frame of the UMEM waited in the RX ring, or "
        f"was in the worker's hands{sending}. A worker that loses its core amid a batch holds "
        f"all of it: take smaller ones, engine.batch = {batch}{more}."
    )


def another_core(now: Situation) -> str:
    """Return the setting that gives a worker, or the generator, its own core; empty without one."""
    if now.other_core is None:
        return ""
    if len(now.cpus) > 1:  # the generator's core chooses the queue of a veth, if there are several
        shares = now.generator_cpu in now.cpus and now.queue_count == 1
        return f"Traffic(cpu={now.other_core})" if shares else ""
    how = "engine.reconfigure" if now.kind == "xsk" else "Engine"
    return f"{how}(cpu={now.other_core})"


def lower_rate(now: Situation) -> str:
    """Return words for a lower rate, with the assignment that sets it where that is known."""
    return f"a lower rate ({now.slower})" if now.slower else "a lower rate"


def _larger(now: Situation) -> str:
    """Return the setting that makes the rings larger; empty where they are the largest."""
    size = min(4 * now.ring_size, LARGEST_RING)
    return f"engine.reconfigure(ring_size={size})" if size > now.ring_size else ""
