"""The words of a ledger for what happens on the wire, at its ends, and to what is sent on.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xdplab.ledger import explain_capture
from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation, first

_LARGEST_MTU = 65_535
_CAUSE = (
    "A local stack leaves the checksum to its device, and a veth has none that would finish it."
)


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


def waits(now: Situation) -> str:
    """Say until when frames wait to be sent, if a link is the reason; else nothing."""
    return "they leave when the link is up again (above)" if now.broken_links else ""


def went_past(unaccounted: str, now: Situation) -> str:
    """Say what became of packets that nobody counted, where that is known; else nothing.

    Parameters
    ----------
    unaccounted
        How many packets, in words.
    now
        The settings.
    """
    why = first(
        (now.lost_program, "they went to the stack, past the engine (above)."),
        (
            now.bypassed,
            "they went to the stack while the engine's XDP program was off, which someone else had "
            "taken off, or another's was in its place.",
        ),
        (now.broken_links, "a link is down (above), and refuses frames without counting them."),
        (
            now.carrier_losses,
            "a link that is without carrier, as one was (above), refuses frames without counting "
            "them.",
        ),
    )
    return why and f"{unaccounted} unaccounted: {why}"


def too_long(now: Situation) -> str:
    """Say why frames never left, and which sizes pass."""
    largest = now.mtu + 14
    # The generator may send shorter frames by now.
    mtu = f"Lab(mtu={min(now.frame_size - 14, _LARGEST_MTU)})"
    larger = f", or {mtu}" if now.frame_size > largest else ""
    remedy = f"Traffic(size={largest}) is the largest here{larger}."
    return (
        f" never left: frames of more than {largest:,} bytes don't pass an MTU of {now.mtu:,}, and "
        f"the kernel refuses them silently. {f'{mtu} takes them.' if now.replays else remedy}"
    )


def wire_full(now: Situation) -> str:
    """Say why a veth had no room for frames, and which knob helps."""
    # Of those that came by a socket, what a link refuses is in the same count.
    if now.generator_queueing and (now.broken_links or now.carrier_losses):
        return (
            " left the generator, but its interface dropped them, as it does while a link is down "
            "or without carrier (above)."
        )
    apart = another_core(now)
    shares = (
        f" The generator runs on core {now.generator_cpu} like a worker: {apart} gives them "
        "different ones."
        if apart and now.generator_cpu in now.cpus
        else ""
    )
    slower = f", {now.slower}" if now.slower else ""
    wait = (
        ", or put a queueing discipline on its interface "
        f"({_listed(now.generator_queueing)}): then its frames wait until there is room"
        if now.generator_queueing
        else ""
    )
    return (
        " found the wire full: a veth holds 256 frames for each queue until the receiver's NAPI "
        f"takes them, and it did not get to run in time.{shares} Lower the generator's rate"
        f"{slower}, or switch threaded NAPI off where it is on, engine.napi.threaded = False{wait}."
    )


def device_dropped(now: Situation) -> str:
    """Say why a device dropped frames that were completed, and what avoids it."""
    commands = " and ".join(f"`{command}`" for command in now.queueing)
    wait = (
        f", or put a queueing discipline on the interface ({commands}): then the kernel lets "
        "frames wait in the TX ring instead"
        if commands
        else ""
    )
    return first(
        (
            now.gone,
            " got completed, but the device dropped them: an interface is gone (above).",
        ),
        (
            now.broken_links,
            " got completed, but the device dropped them: a link is down (above).",
        ),
        (
            now.carrier_losses,
            " got completed, but the device dropped them, as it does while a link is without "
            "carrier (above). Completed is not sent. A new ledger, engine.ledger(), shows whether "
            "it goes on.",
        ),
        (
            True,
            " got completed, but the device dropped them: the far end's ring was full, or the link "
            f"down. Completed is not sent. Send at {lower_rate(now)}{wait}.",
        ),
    )


def sent_on(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    """Say which packets were sent on although their receiver, or the device, drops them."""
    if unfinished := counts.get(Line.UNFINISHED):
        yield (
            f"At least {_were(unfinished)} sent on with an unfinished checksum, which the "
            "receiving stack drops and counts (`nstat -az` there: UdpInCsumErrors, "
            f"Udp6InCsumErrors, TcpInCsumErrors). {_CAUSE} "
            "engine.checksum = 'software' has the worker finish them"
            f"{_or(now.checksum_remedies)}."
        )
    if oversized := counts.get(Line.OVERSIZED):
        yield (
            f"{_were(oversized)} handed to the TX ring longer than the MTU of the interface "
            f"allows, and dropped by the device. {explain_capture.longest(now)} "
            "super-packets: several packets of a "
            "stream that the sending stack left to its device to cut apart (GSO, TSO), or that GRO "
            "merged where they arrived; neither an XDP program nor an AF_XDP socket cuts them. "
            f"{uncut(now)}"
        )


def finished(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    """Say what the worker did to packets that it sent on."""
    if number := counts.get(Line.FINISHED):
        yield (
            f"{_were(number)} received with an unfinished checksum; the worker finished it "
            f"before it sent each on. {_CAUSE} That is no loss"
            + (
                f"; the worker is spared that by {_listed(now.checksum_remedies)}."
                if now.checksum_remedies
                else "."
            )
        )
    if number := counts.get(Line.LEFT_TO_DEVICE):
        yield (
            f"{_were(number)} received with an unfinished checksum, and sent on with the request "
            "that the device finishes it. That is no loss: a card adds it, or the kernel in its "
            "place. A veth whose offload tx is on passes the request to the stack at its other end."
        )


def uncut(now: Situation) -> str:
    """Return a sentence: which commands keep packets from being longer than the MTU."""
    if now.length_remedies:
        return f"{_listed(now.length_remedies)} avoids them."
    return (
        "The offload tx switched off (ethtool -K) on the interface by which they are sent avoids "
        "them, or gro switched off where they arrive."
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


def _were(count: int) -> str:
    return f"{count:,} packet{' was' if count == 1 else 's were'}"


def _listed(commands: tuple[str, ...]) -> str:
    return " and ".join(f"`{command}`" for command in commands)


def _or(commands: tuple[str, ...]) -> str:
    if commands:
        return f"; or {_listed(commands)} has the sending stack do it"
    return "; or let the sending stack do it: ethtool -K switches tx off where it sends"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
