"""The counts of every counting point on a packet's way, read for the ledger.

The generator's program, the sender's and the receiver's driver, the capture program, the socket
(XDP_STATISTICS), the worker and the link each count for themselves.

- A driver of the table in net/driver_counters.py counts each frame that it took in. With another
  one the ledger begins at the XDP program.
- On veth the link's ``tx_packets`` are what the far end took in; elsewhere the ledger ends at the
  completions.
- Where the sender's driver does not tell frames that XDP programs redirect out of it from others,
  as many left it as the generator sent: what did not arrive is missing at the receiver's.
- A refused redirect is told by its reason: ``rx_ring_full`` is the kernel's ENOBUFS; ``rx_dropped``
  holds both ENOMEM, which alone is in ``rx_fill_ring_empty_descs`` too, and ENOSPC for a frame
  larger than a UMEM frame. A socket in our map gives no other error (xsk_rcv, Linux 6.18), so the
  ``xdp_redirect_err`` tracepoint, which has these errnos, would add nothing but a program run for
  each lost packet, and the need for CAP_PERFMON. With zero-copy, the driver looks for fill
  descriptors ahead, and counts itself what it dropped without one.
- Frames that a generator sends by a socket are in no count of the sender's driver but those that
  it dropped, which its link has in ``tx_dropped``: the others are on the wire.
- On other paths than AF_XDP the program counts packets for the socket, and passes them to the
  stack; packets that found no room in the socket are in ``rx_ring_full``.
- ``rx_invalid_descs`` counts descriptors that the kernel skipped, no packets, and is left out.
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

from xdplab.core.errors import ClosedError, InterfaceGoneError
from xdplab.ledger import own_program
from xdplab.ledger.overflow import Overflow, Overflows
from xdplab.native import lib
from xdplab.native.paths import Kind
from xdplab.net.driver_counters import (
    AS_VETH,
    counts_received,
    received_by_queue,
    redirected_out,
)

if TYPE_CHECKING:
    from xdplab.ledger.subjects import CountedEngine, CountedTraffic
    from xdplab.net.interface import Interface, Look

SENDER = -1
"""The place of the generator's interface beside the engine's ports, which count from 0."""
NO_QUEUE = -1
"""The place, in counts by queue, of frames whose queue is not known."""

_FRESH_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.005


@dataclass(frozen=True)
class Counts:
    """The counts of every counting point, each from that point's own beginning."""

    asked: int = 0
    sent: int = 0
    too_long: int = 0
    wire: int = 0
    wire_full: int = 0
    device: int = 0
    passed: int = 0
    unmatched: int = 0
    no_socket: int = 0
    reconfiguring: int = 0
    uncounted: int = 0
    program_dropped: int = 0
    program_sent: int = 0
    program_redirected: int = 0
    redirected: int = 0
    ring_full: int = 0
    no_fill: int = 0
    too_large: int = 0
    too_many: int = 0
    rx_closed: int = 0
    waiting: int = 0
    received: int = 0
    refused: int = 0
    unknown: int = 0
    over_budget: int = 0
    handed: int = 0
    finished: int = 0
    unfinished: int = 0
    left_to_device: int = 0
    oversized: int = 0
    tx_waiting: int = 0
    tx_invalid: int = 0
    tx_closed: int = 0
    taken: int = 0
    completed: int = 0
    tx_dropped: int = 0
    far_end: int = 0

    def __sub__(self, earlier: Counts) -> Counts:
        names = (field.name for field in fields(self))
        return Counts(**{name: getattr(self, name) - getattr(earlier, name) for name in names})

    @property
    def besides(self) -> int:
        """Frames that XDP programs sent by the sender's interface beyond the generator's."""
        return self.too_long + self.wire + self.wire_full - self.sent

    @property
    def seen(self) -> int:
        """Packets that the XDP program counted, but for those while it had no sockets."""
        return self.redirected + self.passed + self.unmatched + self.no_socket

    @property
    def pending(self) -> int:
        """Frames that the kernel took from the TX ring and has not completed."""
        return self.taken - self.tx_invalid - self.completed

    @property
    def missing(self) -> int:
        """Frames missing between the XDP program and the RX ring, without the counted losses."""
        lost = self.ring_full + self.no_fill + self.too_large + self.too_many + self.rx_closed
        return self.redirected - lost - self.waiting - self.received


class CountingPoints:
    """The counting points of an engine, and of the generator where there is one."""

    def __init__(self, engine: CountedEngine, traffic: CountedTraffic | None) -> None:
        self._engine, self._traffic = engine, traffic
        self.gone: tuple[str, ...] = ()
        """The interfaces that were no longer there at the last look."""
        self.links: dict[int, Look] = {}
        """Netlink's answers at the last look, by the engine's port, or `SENDER`."""
        self._drivers: dict[int, Mapping[str, int]] = {}
        self._begun_ns = time.monotonic_ns()
        self._begun_as = engine.attach
        drivers = [interface.driver for interface in engine.configuration.interfaces]
        self._each_is_veth = all(driver in AS_VETH for driver in drivers)
        self._each_counts = all(map(counts_received, drivers))
        self._overflows = Overflows.from_now_on(engine.telemetry)

    def of(self, engine: CountedEngine, traffic: CountedTraffic | None) -> Self:
        """Return the same points with other references to engine and generator."""
        points = copy.copy(self)
        points._engine, points._traffic = engine, traffic
        return points

    @property
    def veth(self) -> bool:
        """Whether the drivers count each frame and can be read.

        In SKB mode a veth counts each frame only where it has NAPI, as in a lab.
        """
        changes = self._engine.journal.changes
        changed = any(c.knob == "attach" and c.time_ns > self._begun_ns for c in changes)
        always_native = self._begun_as == "native" and not changed
        counts = self._each_is_veth and not self.gone
        return counts and (always_native or self._traffic is not None)

    @property
    def device(self) -> bool:
        """Whether the drivers count each frame that they take in, and can be read."""
        return self.veth or (self._each_counts and not self._each_is_veth and not self.gone)

    def look(self) -> tuple[Counts, Counter[int]]:
        """Read every counting point, the last ones first, and the device's packets by queue.

        In this order a packet in flight makes the earlier point's count the larger one, never the
        smaller.
        """
        counts: dict[str, int] = dict.fromkeys(("tx_dropped", "far_end", "device"), 0)
        by_queue: Counter[int] = Counter()
        gone: dict[int, str] = {}
        interfaces = self._engine.configuration.interfaces
        for port, interface in enumerate(interfaces):
            link = self._look(port, interface, gone).statistics
            counts["tx_dropped"] += link["tx_dropped"]
            counts["far_end"] += link["tx_packets"]
        counters = self._fresh_counters()
        verdicts = self._engine.verdicts()
        for port, interface in enumerate(interfaces if self._each_counts else ()):
            driver = self._ask_driver(port, interface, gone)
            if self._each_is_veth:
                # The link counts frames that were redirected out of it, by a generator, as well.
                out, refused = redirected_out(interface.driver, driver) or (0, 0)
                counts["tx_dropped"] -= refused
                counts["far_end"] -= out
            if counted := received_by_queue(interface.driver, driver):
                by_queue += counted
            else:
                link = self._look(port, interface, gone).statistics
                by_queue[NO_QUEUE] += link["rx_packets"]
            if self._engine.configuration.users_program:
                for name, count in own_program.of_driver(interface.driver, driver).items():
                    counts[name] = counts.get(name, 0) + count
        counts["device"] = by_queue.total()
        counts["uncounted"] = self._engine.uncounted
        if self._traffic is not None:
            sender = self._traffic.sender.interface
            link = self._look(SENDER, sender, gone).statistics
            driver = self._ask_driver(SENDER, sender, gone)
            left = redirected_out(sender.driver, driver)
            counts["wire"], counts["wire_full"] = left or (0, 0)
            counts["too_long"] = self._traffic.too_long
            counts["sent"] = self._traffic.sent
            counts["asked"] = self._traffic.asked
            if self._traffic.by_socket:
                # A veth's link has those in its count that were redirected out of it and refused.
                others = counts["wire_full"] if sender.driver in AS_VETH else 0
                counts["wire_full"] = link["tx_dropped"] - others
            if self._traffic.by_socket or left is None:
                counts["wire"] = counts["sent"] - counts["too_long"] - counts["wire_full"]
        self.gone = tuple(dict.fromkeys(gone.values()))
        found = Counts(**counts, **verdicts._asdict(), **_of_workers(counters))
        if self._engine.configuration.users_program:
            found = own_program.at_sockets(found)
        return self._with_waiting(found), by_queue

    def _look(self, place: int, interface: Interface, gone: dict[int, str]) -> Look:
        """Ask netlink for an interface; of one that is gone, return the last answer.

        Raises
        ------
        XdplabError
            When it was gone at the first look.
        """
        last = self.links.get(place)
        # The index may belong to another interface now.
        if last is not None and place != SENDER and self._engine.is_gone(place):
            gone[place] = last.name
            return last
        try:
            # Both name and address may change, one after the other.
            seen = interface if last is None else replace(interface, name=last.name, mac=last.mac)
            last = self.links[place] = seen.look()
        except (InterfaceGoneError, ClosedError):
            if last is None:
                raise
            gone[place] = last.name
        return last

    def _ask_driver(
        self, place: int, interface: Interface, gone: dict[int, str]
    ) -> Mapping[str, int]:
        """Read a driver's counts; of an interface that is gone, return the last ones."""
        try:
            if place not in gone:
                self._drivers[place] = interface.driver_statistics()
        except (InterfaceGoneError, ClosedError):
            if place not in self._drivers:
                raise
            gone[place] = self.links[place].name
        return self._drivers[place]

    def _with_waiting(self, found: Counts) -> Counts:
        """Add the packets that wait in a UDP socket, whose number the kernel does not tell.

        A running worker takes them, so none is assumed to wait. With a stopped worker, they are the
        packets that the program counted and nobody took or dropped.
        """
        if self._engine.configuration.kind != Kind.UDP or self._engine.running:
            return found
        return replace(found, waiting=max(found.waiting + found.missing, 0))

    def _fresh_counters(self) -> Any:
        """Wait for records that were written from now on: a worker's last may be 10 ms old."""
        telemetry = self._engine.telemetry
        now, deadline = time.monotonic_ns(), time.monotonic() + _FRESH_SECONDS
        self._engine.refresh()
        while time.monotonic() < deadline:
            each = [telemetry.counters(worker) for worker in range(telemetry.workers)]
            if all(
                worker["time_ns"] >= now or worker["state"] == lib.XDPLAB_STATE_FAILED
                for worker in each
            ):
                break
            time.sleep(_LOOK_AGAIN_SECONDS)
        return telemetry.total()

    def overflow(self) -> Overflow | None:
        """Tell what the workers did while their RX rings overflowed; None where it is not known."""
        return self._overflows.read(self._engine)


def _of_workers(counters: Any) -> dict[str, int]:
    number = {
        name: int(counters[name]) for name in counters.dtype.names if counters[name].ndim == 0
    }
    no_fill = min(number["rx_dropped"], number["rx_fill_ring_empty_descs"])
    return {
        "ring_full": number["rx_ring_full"],
        "no_fill": no_fill,
        "too_large": number["rx_dropped"] - no_fill,
        "too_many": number["rx_too_long"],
        "rx_closed": number["rx_closed"],
        "waiting": number["rx_producer"] - number["rx_consumer"],
        "received": number["rx_packets"],
        "refused": int(counters["handled"][lib.XDPLAB_HANDLED_REFUSED]),
        "unknown": int(counters["handled"][lib.XDPLAB_HANDLED_UNKNOWN]),
        "over_budget": number["handler_over_budget"],
        # As the kernel counts: a packet of several frames is several.
        "handed": number["tx_producer"],
        "finished": number["checksums_finished"],
        "unfinished": number["checksums_unfinished"],
        "left_to_device": number["checksums_asked"],
        "oversized": number["tx_too_long"],
        "tx_waiting": number["tx_producer"] - number["tx_consumer"],
        "tx_invalid": number["tx_invalid_descs"],
        # A ring that was closed with frames in it counts as taken and completed.
        "tx_closed": number["tx_closed"],
        "taken": number["tx_consumer"] - number["tx_closed"],
        # An invalid descriptor is completed too (tried on Linux 6.18.44), though nothing was sent.
        "completed": number["completion_producer"]
        - number["tx_invalid_descs"]
        - number["tx_closed"],
    }


def device_packets(interface: Interface) -> int:
    """Read how many frames the driver saw; 0 of one that does not count each."""
    if not counts_received(interface.driver):
        return 0
    by_queue = received_by_queue(interface.driver, interface.driver_statistics())
    return by_queue.total() if by_queue else interface.link_statistics()["rx_packets"]
