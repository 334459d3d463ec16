"""Reads what a ledger's counts are explained by: the engine, its interfaces and their links."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from xdplab.core.errors import ClosedError, InterfaceGoneError
from xdplab.ledger.counting_points import SENDER, Counts
from xdplab.ledger.explain_handler import watched
from xdplab.ledger.situation import Situation, other_core, queueing, queues_first, slower, steering
from xdplab.net.filtering import Filtering, filtering
from xdplab.net.offloads import remedies_for_checksums, remedies_for_length
from xdplab.net.sent_back import hindrances

if TYPE_CHECKING:
    from xdplab.ledger.ledger import Ledger
    from xdplab.net.interface import Interface


def situation_of(book: Ledger, grown: Counts, strays: list[int]) -> Situation:
    """Say how things stand with a ledger's engine, whose counts have grown so far.

    Parameters
    ----------
    book
        The ledger.
    grown
        By how much, since it began.
    strays
        Queues without a worker on which packets came.
    """
    engine, traffic = book._engine, book._traffic
    error, ended = str(engine.error or ""), engine.has_ended
    links = dict(book._points.links)
    sender = links.pop(SENDER, None)
    workers = range(engine.telemetry.workers)
    inside = any(map(engine.telemetry.inside_handler, workers))
    queues_command, queues_then = queues_first(engine) if grown.no_socket else ("", 0)
    return Situation(
        interface=" and ".join(link.name for link in links.values()),
        name=engine.configuration.name,
        queues=engine.queues,
        stray_queues=tuple(strays),
        queue_count=queues_then
        or (_queue_count(book) if grown.ring_full or grown.no_socket else 0),
        queues_first=queues_command,
        running=engine.running or bool(error and not ended),
        fault=error if ended else "",
        lost_program="" if ended else error,
        bypassed=engine.times_bypassed > book._bypassed,
        gone=book._points.gone,
        broken_links=_broken_links(book),
        carrier_losses=_carrier_losses(book),
        drops=() if book._drops is None else tuple(each.words() for each in book._drops.read()),
        sends=book._sends(grown),
        delivers=engine.configuration.delivers,
        match=engine.configuration.match,
        users_program=engine.configuration.users_program,
        counts_verdicts=book._counts_verdicts(),
        joins=len(engine.configuration.interfaces) > 1,
        handler=watched(engine.telemetry) if grown.over_budget or inside else "",
        in_handler=inside,
        held=int(engine.telemetry.total()["held"]),
        path=engine.path,
        kind=engine.configuration.kind.name.lower(),
        socket_buffer=engine.configuration.memory.socket_buffer,
        wait=engine.wait,
        timer=engine.timer_microseconds,
        paced=_was_paced(book),
        batch=engine.batch,
        ring_size=engine.ring_size,
        cpus=engine.cpus,
        overflow=book._points.overflow() if grown.ring_full else None,
        generator_cpu=traffic.cpu if traffic else None,
        sent_besides=book._sent_besides(grown),
        slower=slower(engine, traffic),
        other_core=other_core(engine, traffic),
        steering=steering(engine, traffic) if grown.no_socket else "",
        queueing=queueing(engine.interfaces) if grown.tx_dropped else (),
        generator_queueing=queueing([traffic.sender.interface])
        if traffic and traffic.by_socket and grown.wire_full
        else (),
        frame_size=traffic.size if traffic else 0,
        mtu=sender.mtu if sender else 0,
        port_mtu=max(link.mtu for link in links.values()),
        attach=engine.attach,
        filtering=None if grown.received else _filtering(book),
        umem_frame=engine.configuration.frame_size,
        headroom=engine.configuration.memory.headroom,
        began_quiet=book._quiet,
        simulated=engine.simulated,
        faults=_faults(book),
        replays=traffic is not None and traffic.replays,
        checksum_remedies=_commands(
            book, grown.finished + grown.unfinished, remedies_for_checksums
        ),
        sent_back=_commands(book, grown.program_sent, hindrances),
        length_remedies=_commands(book, grown.oversized + grown.too_large, remedies_for_length),
        left_out=traffic.left_out if traffic else 0,
        remarks=traffic.remarks if traffic else (),
    )


def _was_paced(book: Ledger) -> bool:
    return bool(book._engine.pace) or "pace" in book._changed()


def _faults(book: Ledger) -> dict[str, int]:
    """Read the faults of the engine's ends; of two the more frequent one."""
    told: dict[str, int] = {}
    for interface in book._engine.configuration.interfaces:
        for name, every in interface.faults().items():
            told[name] = min(every, told.get(name, every))
    return told


def _broken_links(book: Ledger) -> tuple[str, ...]:
    """Say of each link why frames can't pass it; once where both of its ends are ours."""
    found: dict[str, str] = {}
    for place, link in sorted(book._points.links.items()):  # the sender first
        label = link.name if place == SENDER else book._engine.end(place)
        state = replace(link.state, label=label)
        if not state.passes and link.name not in book._points.gone:
            found.setdefault(state.remedy, state.trouble())
    return tuple(found.values())


def _queue_count(book: Ledger) -> int:
    """Return how many queues an engine may name; they can be added while packets flow."""
    return min(interface.queues for interface in book._engine.interfaces)


def _carrier_losses(book: Ledger) -> dict[str, int]:
    """Count how often each interface lost its carrier since the ledger began."""
    found = {}
    for place, link in book._points.links.items():
        before = book._links_before[place].state.carrier_losses
        if lost := link.state.carrier_losses - before:
            found[link.name] = lost
    return found


def _filtering(book: Ledger) -> Filtering | None:
    """Look how the first of the engine's interfaces filters, if it is still there."""
    with suppress(InterfaceGoneError, ClosedError):
        return filtering(book._engine.interface)
    return None


def _commands(
    book: Ledger, packets: int, remedies: Callable[[Interface], list[str]]
) -> tuple[str, ...]:
    """Collect the commands that would help, where any packet needs them."""
    if not packets or book._engine.simulated:
        return ()
    found = []
    for interface in book._engine.interfaces:
        with suppress(InterfaceGoneError, ClosedError):
            found.append(remedies(interface))
    return tuple(dict.fromkeys(command for commands in found for command in commands))
