"""One measured run: a capture for some time, its ledger, and the CPU time per packet."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from xdplab import backends
from xdplab.core.calls import public_function
from xdplab.core.checks import callable_of
from xdplab.core.checks import seconds as seconds_within
from xdplab.core.errors import KernelError, XdplabError
from xdplab.core.table import Table, Tabled
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.experiments.measurement_table import measurement_table
from xdplab.experiments.offered import Watch
from xdplab.ledger.account import Account, Stage
from xdplab.ledger.ledger import Ledger
from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation
from xdplab.ledger.subjects import check_engine, check_traffic
from xdplab.native.records import SYSCALLS
from xdplab.telemetry.interrupts import InterruptCounts

KERNEL_STATISTICS = (
    "rx_dropped",
    "rx_invalid_descs",
    "tx_invalid_descs",
    "rx_ring_full",
    "rx_fill_ring_empty_descs",
    "tx_ring_empty_descs",
)
"""The six figures of XDP_STATISTICS (linux/if_xdp.h). On other paths than AF_XDP, `rx_ring_full`
counts packets for which the socket's buffer had no room, and the others are 0."""

_LOOK_SECONDS = 0.1
_LOOK_AGAIN_SECONDS = 0.001
_LONGEST_SECONDS = 86_400


@dataclass(frozen=True, repr=False)
class Measurement(Tabled):
    """The results of one run.

    ``asked_pps`` is the generator's rate, None for "max" and without one; ``sent`` and ``sent_pps``
    what it sent, and ``lost`` what of that the worker did not receive. Where the generator sent
    less than 95 % of what it was asked for, ``limited`` is a sentence that says so, and whether the
    scheduler was the cause.

    Times per packet are nanoseconds. ``user`` is the worker's time on packets, ``idle`` a spinning
    worker's empty polls, ``sys`` the rest of the worker's own CPU time, and ``softirq`` the
    network softirqs on the worker's and the generator's core; None: could not be measured.
    ``sqpoll`` is io_uring's submission thread, which a worker has for `uring-sqpoll`.

    ``interrupts`` are those of the engine's device, None where it has none, as a veth. ``softirqs``
    are by core, how often the softirq that receives packets ran there, for any interface of the
    machine. A worker that drives its NAPI itself has few of both.

    ``wait`` is empty on a `path` without wait strategies. ``wait_effective`` is False if the
    strategy has no effect on this device; ``wait_note`` then says why and what to use instead.
    ``interrupted`` says whether the user ended the run early (Ctrl-C). ``error`` is the reason if
    it ended by itself, such as a removed interface, or None; the figures are those until then.
    ``explanation`` is the ledger's: a line for each loss and each other finding, such as a link
    that is down.
    """

    path: str
    wait: str
    wait_effective: bool
    wait_note: str
    zero_copy: bool
    batch: int
    seconds: float
    interrupted: bool
    error: str | None
    asked_pps: float | None
    sent: int | None
    sent_pps: float | None
    lost: int | None
    limited: str
    rx_packets: int
    rx_bytes: int
    rx_pps: float
    wakeups: int
    timeouts: int
    empty_polls: int
    rearms: int
    kicks: int
    syscalls: dict[str, int]
    user_ns_per_packet: float | None
    idle_ns_per_packet: float | None
    sys_ns_per_packet: float | None
    softirq_ns_per_packet: float | None
    sqpoll_ns_per_packet: float | None
    interrupts: int | None
    softirqs: dict[int, int]
    kernel: dict[str, int]
    ledger: list[dict[str, str | int]]
    balanced: bool
    explanation: list[str]
    simulated: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)

    def _table(self) -> Table:
        return measurement_table(self)


@public_function
def measure(
    engine: Engine,
    traffic: Traffic | None,
    seconds: float,
    watch: Callable[[], None] = lambda: None,
) -> tuple[Measurement, Account]:
    """Let a running engine capture for some time, and account for its packets.

    Parameters
    ----------
    engine
        The engine, running.
    traffic
        A generator, not started yet; None: capture other traffic.
    seconds
        Length of the run. An interrupt (Ctrl-C) ends it early; the measurement notes it.
    watch
        Called ten times a second during the run.

    Returns
    -------
    tuple
        The measurement and the ledger's account. If engine or generator ended by themselves, both
        cover the time until then, and `Measurement.error` says why.
    """
    measurement, account, _ended = _measure(engine, traffic, seconds, watch)
    return measurement, account


def _measure(
    engine: Engine, traffic: Traffic | None, seconds: float, watch: Callable[[], None]
) -> tuple[Measurement, Account, XdplabError | None]:
    check_engine(engine)
    check_traffic(traffic)
    seconds = seconds_within("seconds", seconds, 0, _LONGEST_SECONDS)
    callable_of("watch", watch)
    with ExitStack() as stack:
        cores = set(engine.cpus) | ({traffic.cpu} if traffic else set())
        in_softirq = _softirq_clock(stack, engine, cores)
        ledger = Ledger(engine, traffic)
        sent = traffic.sent if traffic else 0
        offer = Watch(engine, traffic)
        numbers = engine.interface.interrupts
        counted = InterruptCounts.read(numbers)
        before, softirq_before = engine.telemetry.total(), in_softirq()
        started = time.monotonic()
        if traffic:
            traffic.start()
        interrupted, ended = False, None
        try:
            if traffic:
                started = _when_it_sends(traffic)
            _watch(engine, traffic, started + seconds, watch)
        except KeyboardInterrupt:
            interrupted = True
        except XdplabError as error:
            ended = error
        finally:
            offer.look()
            if traffic:
                traffic.stop()
        elapsed = time.monotonic() - started
        counted = InterruptCounts.read(numbers).since(counted)
        try:
            account = ledger.settle()
        except XdplabError as error:  # the interface is gone, and its counters with it
            ended = ended or error
            account = _account_of_worker(engine, traffic, int(before["rx_packets"]), sent, ended)
        after, softirq_after = engine.telemetry.total(), in_softirq()
    packets = int(after["rx_packets"] - before["rx_packets"])
    offered, sent_here = offer.offered(), traffic.sent - sent if traffic else None

    def each(nanoseconds: int | None) -> float | None:
        return round(nanoseconds / packets, 2) if packets and nanoseconds is not None else None

    def grown(name: str) -> int:
        return int(after[name] - before[name])

    measurement = Measurement(
        path=engine.path,
        wait=engine.wait,
        wait_effective=not engine.wait_note,
        wait_note=engine.wait_note,
        zero_copy=engine.zero_copy,
        batch=engine.batch,
        seconds=round(elapsed, 6),
        interrupted=interrupted,
        error=None if ended is None else str(ended),
        asked_pps=offered.asked_pps,
        sent=sent_here,
        sent_pps=offered.sent_pps,
        lost=None if sent_here is None else max(sent_here - packets, 0),
        limited=offered.limited,
        rx_packets=packets,
        rx_bytes=grown("rx_bytes"),
        rx_pps=round(packets / elapsed, 1),
        wakeups=grown("wakeups"),
        timeouts=grown("timeouts"),
        empty_polls=grown("empty_polls"),
        rearms=grown("rearms"),
        kicks=grown("kicks"),
        syscalls={
            name: int(after["syscalls"][kind] - before["syscalls"][kind])
            for kind, name in enumerate(SYSCALLS)
        },
        user_ns_per_packet=each(grown("user_ns")),
        idle_ns_per_packet=each(grown("idle_ns")),
        sys_ns_per_packet=each(grown("cpu_ns") - grown("user_ns") - grown("idle_ns")),
        softirq_ns_per_packet=(
            each(softirq_after - softirq_before)
            if softirq_before is not None and softirq_after is not None
            else None
        ),
        sqpoll_ns_per_packet=each(grown("sqpoll_ns")),
        interrupts=counted.device,
        softirqs=counted.softirqs,
        kernel={name: grown(name) for name in KERNEL_STATISTICS},
        ledger=account.as_list(),
        balanced=account.balanced,
        explanation=account.explain().splitlines(),
        simulated=engine.simulated,
    )
    return measurement, account, ended


def measure_whole(
    engine: Engine,
    traffic: Traffic | None,
    seconds: float,
    watch: Callable[[], None] = lambda: None,
) -> Measurement:
    """Measure as `measure` does, but raise if the run ended early: it could not be compared.

    Raises
    ------
    KeyboardInterrupt
        When it was interrupted.
    KernelError
        When the engine or the generator ended by itself.
    """
    measurement, _, ended = _measure(engine, traffic, seconds, watch)
    if ended is not None:
        raise ended
    if measurement.interrupted:
        raise KeyboardInterrupt
    return measurement


def _account_of_worker(
    engine: Engine, traffic: Traffic | None, before: int, sent: int, ended: XdplabError
) -> Account:
    """Make an account from the counts of worker and generator alone."""
    received = int(engine.telemetry.total()["rx_packets"]) - before
    stages, missing = [Stage(Line.RECEIVED, received)], 0
    if traffic is not None:
        stages.insert(0, Stage(Line.SENT, traffic.sent - sent))
        missing = max(traffic.sent - sent - received, 0)
    situation = Situation(
        interface=engine.interface.name, simulated=engine.simulated, fault=str(ended)
    )
    return Account(tuple(stages), missing, situation)


def _softirq_clock(stack: ExitStack, engine: Engine, cores: set[int]) -> Callable[[], int | None]:
    """Open the softirq tracer; if this process may not, the clock returns None."""
    try:
        clock = stack.enter_context(backends.of(engine.interface.namespace).open_softirq())
    except KernelError:
        return lambda: None
    return lambda: clock.nanoseconds(cores)


def _when_it_sends(traffic: Traffic) -> float:
    """Wait until the generator's thread has begun, which under load takes a while."""
    before, deadline = traffic.sending_seconds, time.monotonic() + _LOOK_SECONDS
    while traffic.running and traffic.sending_seconds <= before and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_SECONDS)
    return time.monotonic()


def _watch(
    engine: Engine, traffic: Traffic | None, deadline: float, watch: Callable[[], None]
) -> None:
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(_LOOK_SECONDS, left))
        if fault := engine.error:
            raise fault
        if traffic and not traffic.running:
            traffic.wait()
            return
        watch()
