"""The words of a ledger for interfaces that frames can't pass, or that are gone.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

from xdplab.ledger.situation import Situation


def ends(now: Situation) -> list[str]:
    """Say what is or was wrong with an interface; it comes first, since losses follow from it."""
    said = [
        f"{name} is gone from its network namespace, and what its driver counted with it. The "
        "account holds what engine and generator saw."
        for name in now.gone
    ]
    if now.fault:
        said.append(f"A worker ended: {now.fault}")
    if now.lost_program:
        said.append(f"Packets no longer reach the engine: {now.lost_program}")
    said += now.broken_links
    if not now.broken_links:
        said += [
            f"{name} was without carrier {_times(count)} since the ledger began, and is up again: "
            "frames sent meanwhile may be lost without being counted."
            for name, count in now.carrier_losses.items()
        ]
    return said


def ring_full(now: Situation) -> str:
    """Say why a worker left packets in its RX ring, if a link is the reason; else nothing."""
    if not (now.sends and now.broken_links):
        return ""
    return "It can't send while a link is down (above), and leaves there what it can't send."


def waits(now: Situation) -> str:
    """Say until when frames wait to be sent, if a link is the reason; else nothing."""
    return "they leave when the link is up again (above)" if now.broken_links else ""


def device_dropped(now: Situation) -> str:
    """Say why a device dropped frames, if a link is the reason; else nothing."""
    if now.broken_links:
        return " got completed, but the device dropped them: a link is down (above)."
    if now.carrier_losses:
        return (
            " got completed, but the device dropped them, as it does while a link is without "
            "carrier (above). Completed is not sent. A new ledger, engine.ledger(), shows whether "
            "it goes on."
        )
    return ""


def remainder(unaccounted: str, now: Situation) -> str:
    """Say what became of packets that nobody counted, where that is known; else nothing."""
    if now.lost_program:
        return f"{unaccounted} unaccounted for: they went to the stack, past the engine (above)."
    if now.bypassed:
        return (
            f"{unaccounted} unaccounted for: they went to the stack while the engine's XDP program "
            "was off, which someone else had taken off, or another's was in its place."
        )
    if now.broken_links:
        return (
            f"{unaccounted} unaccounted for: a link is down (above), and refuses frames without "
            "counting them."
        )
    if now.carrier_losses:
        return (
            f"{unaccounted} unaccounted for: a link that is without carrier, as one was (above), "
            "refuses frames without counting them."
        )
    return ""


def no_socket(now: Situation) -> str:
    """Say why packets of the engine's own queue went to the stack; else nothing."""
    if now.stray_queues:
        return ""
    if now.lost_program:
        return " went to the stack: the XDP program has no socket for them any more (above)."
    if now.bypassed:
        return (
            " went to the stack while the XDP program had no socket for them, which someone else "
            "had removed. engine.reconfigure() has put it back."
        )
    return ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
