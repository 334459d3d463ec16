"""The words of a ledger: for each loss what happened, why, and the knob that helps.

Nothing here looks at the kernel: counts and settings go in, sentences come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from xdplab.configuration.keywords import typed
from xdplab.core.text import counted, percent
from xdplab.ledger import (
    explain_capture,
    explain_handler,
    explain_program,
    explain_receiving,
    explain_sockets,
    explain_wire,
)
from xdplab.ledger.lines import Line, name_of
from xdplab.ledger.offered import CATCHES_UP, of_asked
from xdplab.ledger.situation import Situation

_PENDING = (Line.WAITING, Line.TX_WAITING, Line.PENDING)
_BEGUN = (Line.ON_WIRE, Line.BEGUN, Line.TX_BEGUN)


def explain(counts: Mapping[str, int], unaccounted: int, now: Situation) -> list[str]:
    """Say what each loss means.

    Parameters
    ----------
    counts
        Packets by the line; those of 0 may be left out.
    unaccounted
        Packets that the stages don't account for.
    now
        The settings.

    Returns
    -------
    list of str
        A sentence or more each: what was lost first, then what else is worth knowing. One line
        that says so where every packet arrived.
    """
    losses = [
        f"{_share(counts, stage)}{_on_purpose(stage, now) or words}"
        for stage, words in (
            (Line.TOO_LONG, explain_wire.too_long(now)),
            (Line.WIRE_FULL, explain_wire.wire_full(now)),
            (Line.RECONFIGURING, _reconfiguring(now)),
            (Line.PROGRAM_DROPPED, explain_program.dropped()),
            (Line.NO_SOCKET, explain_receiving.no_socket(now)),
            (Line.RING_FULL, explain_receiving.ring_full(now)),
            (Line.NO_FILL, explain_receiving.no_fill(now)),
            (Line.TOO_LARGE, explain_receiving.too_large(now)),
            (Line.TOO_MANY, explain_receiving.too_many(now)),
            (Line.RX_CLOSED, _closed("received", now)),
            (Line.TX_CLOSED, _closed("sent", now)),
            (
                Line.TX_INVALID,
                " could not be sent: their descriptors were invalid, which "
                "is a fault of the engine. Please report it.",
            ),
            (Line.TX_DROPPED, explain_wire.device_dropped(now)),
        )
        if counts.get(stage) and not _is_told_below(stage, counts)
    ]
    losses += explain_wire.sent_on(counts, now)
    losses += explain_handler.handled(counts, now)
    rest = [
        *([now.handler] if now.handler else []),
        *now.drops,
        *explain_wire.finished(counts, now),
        *_left_over(counts, now),
        *_remainder(unaccounted, now),
    ]
    rest += _less_sent(counts, now)
    rest += [f"Of the file: {remark}" for remark in now.remarks]
    if not losses and not unaccounted and not _sum(counts, _PENDING):
        rest.insert(0, _all_well(counts, now))
    said = explain_wire.ends(now) + losses + rest
    return [explain_capture.as_typed(line) for line in said] if now.delivers else said


def _less_sent(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    """Say that the generator sent less than it was asked for, where the ledger has that line."""
    if not (asked := counts.get(Line.ASKED)):
        return
    core, free = now.generator_cpu, now.other_core
    slower = explain_wire.lower_rate(now)
    helps = (
        f"Traffic(cpu={free}), or {slower}, avoids it"
        if free is not None
        else f"{slower} avoids it"
    )
    if core in now.cpus:
        why = f"It shares core {core} with a worker: {helps}."
    else:
        why = (
            f"Core {core} sends no faster, or something else had it: {helps}. "
            "measure(engine, traffic, seconds=1) tells which."
        )
    yield f"The generator sent {of_asked(counts.get(Line.SENT, 0), asked)}. {CATCHES_UP} {why}"


def _is_told_below(stage: str, counts: Mapping[str, int]) -> bool:
    """Tell whether the device dropped only packets that were too long for it."""
    return stage == Line.TX_DROPPED and counts.get(Line.OVERSIZED, 0) >= counts[stage]


# By the kind of loss: the fault that makes a soft NIC have it, and what that simulates.
_FAULTS: Mapping[str, tuple[str, str]] = {
    Line.RING_FULL: ("ring_full_every", "an RX ring that is full"),
    Line.NO_FILL: ("no_fill_every", "a fill ring that is empty"),
    Line.TX_INVALID: ("bad_descriptor_every", "an invalid descriptor"),
}


def _on_purpose(stage: str, now: Situation) -> str:
    """Name the fault that caused a loss, if any: other reasons matter little then."""
    name, feigned = _FAULTS.get(stage, ("", ""))
    if not (every := now.faults.get(name, 0)):
        return ""
    return (
        f" met with {feigned}, most of them on purpose: this NIC is simulated, and feigns that for "
        f"1 frame in {every:,}. {_side(now)}.faults.{name} = 0 ends that, and what is lost then "
        "has another reason."
    )


def _side(now: Situation) -> str:
    return "lab.peer" if now.interface.startswith("peer") else "lab.port"


def _share(counts: Mapping[str, int], stage: str) -> str:
    lost = counts[stage]
    sent = stage in (Line.TX_CLOSED, Line.TX_INVALID, Line.TX_DROPPED)
    whole = (Line.HANDED,) if sent else (Line.SENT, Line.DEVICE)
    of = next((counts[name] for name in whole if counts.get(name, 0) >= lost), 0)
    if not of:
        return counted(lost, "packet")
    return f"{counted(lost, 'packet')} of {of:,} ({percent(lost / of)})"


def _reconfiguring(now: Situation) -> str:
    changes = now.reconfigured
    at_once = f", or begin with what it changed: Engine({typed(changes, repr)})" if changes else ""
    call = ", ".join(f"{name}={value!r}" for name, value in changes.items())
    return (
        f" came while engine.reconfigure({call}) made new sockets, and went to the stack. "
        f"Reconfigure {_in_quiet(now)}{at_once}."
    )


def _in_quiet(now: Situation) -> str:
    if now.generator_cpu is None:
        return "while nothing is sent"
    return "while nothing is sent (traffic.stop() before, traffic.start() after it)"


def _closed(how: str, now: Situation) -> str:
    down = now.broken_links or now.carrier_losses
    when = "while the links are up (above)" if down else _in_quiet(now)
    return (
        f" waited in a ring when engine.reconfigure() closed it: it gives the worker a second to "
        f"empty its rings, and these could not be {how} by then. Reconfigure {when}."
    )


def _sum(counts: Mapping[str, int], stages: Iterable[str]) -> int:
    return sum(counts.get(stage, 0) for stage in stages)


def _left_over(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    """Explain counts that are no loss but may surprise."""
    yield from _not_for_the_engine(counts, now)
    for stage in _PENDING:
        if waiting := counts.get(stage):
            if now.fault:
                until = "the worker has ended, and they are lost with its sockets"
            elif now.delivers and stage == Line.WAITING:
                until = "the program has not asked for them; capture.recv() gives them"
            elif not now.running:
                until = "the worker is stopped, and goes on with engine.start()"
            else:
                # Packets that can't be sent stay in the RX ring, too.
                until = (
                    explain_wire.waits(now) if now.sends or stage != Line.WAITING else ""
                ) or "in flight; read the ledger again, or settle() it"
            yield f"{counted(waiting, 'packet')} {name_of(stage, now.kind)}: {until}."
    if now.sent_besides:
        yield (
            f"{counted(now.sent_besides, 'packet')} left the sender's interface by another XDP "
            "program than this ledger's generator, such as a Traffic that was made later: "
            "engine.ledger(traffic) of that one counts from where it sends."
        )
    if now.senders:
        yield (
            f"Still sending: {'; '.join(now.senders)}. What is in flight then is no loss: settle() "
            "the ledger once it has ended."
        )
    if now.went_uncounted:
        yield (
            f"While attach changed, {now.interface} was without an XDP program for a moment: what "
            "came then went to the stack, and nobody counted it. Make the engine with the mode "
            f"that it is to have: Engine(attach={now.attach!r})."
        )
    if begun := _sum(counts, _BEGUN):
        yield f"{counted(begun, 'packet')} on the way when the ledger began: counted in."
    if not now.began_quiet:
        yield (
            "Packets flowed already when the ledger began: of those on the way then, some may "
            "count as sent by others, or by its own host."
        )


def _not_for_the_engine(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    if now.users_program:
        yield from explain_program.others(counts, now)
    else:
        yield from explain_receiving.left_to_the_stack(counts, now)


def _remainder(unaccounted: int, now: Situation) -> Iterator[str]:
    if not unaccounted:
        return
    if now.handler and now.in_handler:
        yield (
            f"{counted(unaccounted, 'packet')} with the worker, or behind them: it counts once its "
            "handler has returned (above)."
        )
    elif now.flowing:
        yield (
            f"{counted(unaccounted, 'packet')} in flight: counted by one counting point and not "
            "yet by the next. Once the traffic has ended, settle() waits for them."
        )
    elif blocked := explain_wire.went_past(counted(unaccounted, "packet"), now):
        yield blocked
    elif now.kind != "xsk":
        yield explain_sockets.lost_in_the_stack(counted(unaccounted, "packet"))
    else:
        yield (
            f"{counted(unaccounted, 'packet')} unaccounted: one counting point counted them, "
            "the next did not. Two cases are known: a link that is down refuses the generator's "
            "frames and does not count them, and with attach='skb' GRO merges packets of a stream "
            "before the XDP program counts them."
        )


def _all_well(counts: Mapping[str, int], now: Situation) -> str:
    ends = explain_wire.ends(now)
    if counts.get(Line.RECEIVED) or counts.get(Line.HANDED):
        less = now.left_out or counts.get(Line.ASKED)
        which = "that was sent " if less else "that came " if ends else ""
        return f"Every packet {which}arrived."
    if now.generator_cpu is not None and not counts.get(Line.SENT):
        return "No packet: the generator has sent none since the ledger began. traffic.start()."
    if now.users_program and _sum(counts, explain_program.NOT_FOR_THE_ENGINE):
        return "No packet for the engine."
    if counts.get(Line.STACK) or counts.get(Line.UNMATCHED):
        return f"No packet for the engine.{explain_receiving.filtered(now)}"
    if ends:
        return f"No packet came to {now.interface}."
    return (
        f"No packet came to {now.interface}. Is anything sending to it, and is its link up? "
        "On a real device, check that traffic is steered to the engine's queue."
        f"{explain_receiving.filtered(now)}"
    )
