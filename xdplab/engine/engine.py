"""The engine: a capture on one queue of one interface, its lifetime and its knobs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from xdplab.configuration.configuration import ACTIONS, WAIT_STRATEGIES, Configuration
from xdplab.configuration.groups import Memory, Sampling, Worker
from xdplab.configuration.keywords import explain, made_with, refuse_group
from xdplab.configuration.path_rules import refuse_wait
from xdplab.core.calls import public_as
from xdplab.core.checks import boolean, choice, text, whole
from xdplab.core.checks import seconds as seconds_within
from xdplab.core.closing import Starting
from xdplab.core.errors import ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.engine.endless_loops import note, refuse_loop
from xdplab.engine.handling import Handling, warn_of_what_stays
from xdplab.engine.native_engine import NativeEngine
from xdplab.engine.reconfiguring import reconfigure, refuse_unless_of_sockets
from xdplab.engine.tables import brief, engine_table
from xdplab.engine.traffic import Traffic
from xdplab.engine.why_it_ended import Ending
from xdplab.knobs.journal import Journal
from xdplab.knobs.napi import NapiSettings
from xdplab.knobs.row import Knob
from xdplab.knobs.steering import Steering
from xdplab.knobs.table import names_of_home
from xdplab.ledger.ledger import Ledger
from xdplab.ledger.subjects import IsEngine, Verdicts, remember
from xdplab.native.paths import PATHS, Kind
from xdplab.net.interface import Interface
from xdplab.net.replacing import replace_what_this_cell_made
from xdplab.net.resolve import End, is_same, names_of, resolve
from xdplab.net.stream import Stream
from xdplab.telemetry.rates import LONGEST_SECONDS, Rates
from xdplab.telemetry.region import Telemetry

if TYPE_CHECKING:
    from xdplab.engine.own_program import OwnProgram
    from xdplab.ledger.flows import Flows
    from xdplab.xdp.program import Program

__all__ = ["ACTIONS", "PATHS", "WAIT_STRATEGIES", "Engine", "Verdicts"]


@public_as(explain=explain)
class Engine(Tabled, Handling, FixedNames, Starting, IsEngine):
    """An AF_XDP capture: XDP program, UMEM, and for each queue four rings and a pinned worker.

    The constructor attaches and binds; `start` lets the workers run, as does entering the engine as
    a context manager. Its knobs (`action`, `batch`, `wait` and others: `xdplab.KNOBS` has all) are
    plain attributes and take effect on the worker's next turn. `napi` has the settings of the
    queues' NAPI instances, likewise (`NapiSettings`). `steering` has the card's (`Steering`), that
    of the first interface where there are two.

    An interface carries one XDP program, so one engine at a time.

    An engine lives until `close`, the end of its ``with``, or the end of the process, however many
    widgets look at it. In a notebook, re-running the cell that made an engine replaces it.

    Parameters
    ----------
    interface
        A side of a lab (``lab.port``), an `Interface`, or the name of a real one.
    path
        Receive path, one of `PATHS`. All but ``"xsk"`` exist for comparison: they take one
        interface, with one worker for all queues, drop what they receive, and wait in their own
        way. They reject the settings that only AF_XDP takes. On each path an XDP program counts the
        packets for it, so that the ledger adds up:

        - ``"udp-blocking"``, ``"udp-epoll"``, ``"udp-uring"``: a UDP socket on port 9 of the
          interface's IPv4 address, to which our generators send. It delivers the payload without
          headers: byte counts and samples are of the payload.
        - ``"packet"``, ``"packet-mmap"``: an AF_PACKET socket, which sees what the stack sees. The
          latter delivers a block of its ring when it is full, or a tick (1 to 10 ms) later.
        - ``"xdp"``: the XDP program drops the packets and counts them, also while the engine is
          stopped: the upper bound for all other paths. Nothing is sampled.
    forward_to
        A second interface: packets that arrive on either are sent on the other, without a copy in
        user space, ARP and neighbour discovery included.
    queue
        Which of its receive queues, from 0; or several. Each has a worker of its own.
    sockets
        How many sockets each queue has, each with a worker of its own, at most 64. They share a
        UMEM, and the fill and the completion ring of their queue. More than one takes a `program`
        that chooses among them: socket s of queue q is entry q * `sockets` + s of its XSKMAP.
    match
        Which packets the engine takes, in the syntax of tcpdump, such as ``"tcp port 80"``: libpcap
        compiles it, and it becomes a part of the XDP program. All others go to the stack as if
        there were no engine. ARP and neighbour discovery stay with the stack, whatever it says. It
        reads no more than a packet's first buffer. By default the engine takes all.
    promiscuous
        Whether the interface also accepts unicast and multicast for other addresses, which a card
        or a macvlan filters out: until `close`, or the end of the process, however it ends. A veth
        and a soft NIC filter nothing.
    allow_default_route
        Whether to capture on an interface that carries the default route, which can cut this
        machine off from its network.
    action
        What the worker does with a packet: one of `ACTIONS`. The default is drop, forward with two
        interfaces, and generate with a `stream`.
    stream
        The `Stream` that the action ``"generate"`` sends: each worker sends its own frames through
        AF_XDP from its start on, and drops what it receives. With `inspect`, it measures the round
        trip of frames that come back.
    batch
        Most frames taken from the RX ring at once, 1 to `ring_size`; by default 64, or the size of
        a smaller ring.
    wait
        What the worker does when the RX ring is empty: one of `WAIT_STRATEGIES`.
    inspect
        Whether workers read latency and sequence number of every frame of our generators, not only
        of sampled ones.
    ring_size
        Entries of the RX, TX and completion rings, a power of two. The fill ring and the UMEM hold
        twice as many.
    frame_size
        Bytes of a UMEM frame; the kernel takes 2048 or 4096. 256 of them are its own.
    attach
        ``"native"`` runs the XDP program in the driver, ``"skb"`` in the stack, on any device.
    program
        An XDP program of your own, a `Program` with an XSKMAP, in place of the engine's: the engine
        puts its sockets into that map, and attaches the program unless it is attached already, in
        the mode of its link then. `close` takes the sockets out, and detaches what the engine
        attached. Several engines, of different queues, may share a program. The ledger tells what
        the program did with other packets where the driver counts that, as a veth's does.
    xskmap
        The name of the program's XSKMAP; needed where it has several.
    bind
        ``"auto"`` takes zero-copy where the driver has it; ``"copy"`` and ``"zero-copy"`` force
        that mode. In SKB mode frames are always copied.
    cpu
        Core of the worker, or one for each. By default from the last core that this process may run
        on downwards; cores that serve the interface's interrupts come last.
    name
        The engine's own name, such as ``"left"``, at most 40 characters: every table, widget and
        mark has it in front of the interface's. None by default.
    memory
        How packets lie in memory: a `Memory`, which says what can be set. On a path other than
        ``"xsk"`` only its `socket_buffer`.
    sampling
        What telemetry keeps: a `Sampling`.
    worker
        How the workers' threads run: a `Worker`.

    Raises
    ------
    ConfigurationError
        For values that can't work; nothing was touched.
    QueueBusyError
        When another engine, socket or XDP program holds the queue.
    PermissionRefusedError
        Without CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF.
    InterfaceGoneError
        When there is no such interface.
    KernelError
        When the kernel refuses for another reason. Nothing half-made is left.
    """

    _by_reconfigure = names_of_home("sockets")
    _made_with = made_with()
    _delivers = False
    _of_the_package = ("end", "home", "is_gone", "name_of", "remedy", "times_bypassed", "way")

    uncounted = 0
    """Upper bound of the packets that came while an interface had no XDP program: `reconfigure`
    detaches it to change `attach`."""

    def __init__(
        self,
        interface: End,
        *,
        path: str = "xsk",
        forward_to: End | None = None,
        queue: int | Sequence[int] = 0,
        sockets: int = 1,
        match: str = "",
        promiscuous: bool = False,
        allow_default_route: bool = False,
        action: str | None = None,
        stream: Stream | None = None,
        batch: int | None = None,
        wait: str = "poll",
        inspect: bool = False,
        ring_size: int = 2048,
        frame_size: int = 2048,
        attach: str = "native",
        program: Program | None = None,
        xskmap: str = "",
        bind: str = "auto",
        cpu: int | Sequence[int] | None = None,
        name: str = "",
        memory: Memory = Memory(),
        sampling: Sampling = Sampling(),
        worker: Worker = Worker(),
    ) -> None:
        self.journal = Journal()
        self._ending = Ending()
        self._begin_handling()
        boolean("allow_default_route", allow_default_route)
        resolved = _resolved(interface, forward_to, allow_default_route)
        own = _own_program(program, xskmap, resolved[0])
        configuration = Configuration(
            interfaces=resolved,
            path=path,
            queue=queue,
            sockets=sockets,
            match=match,
            promiscuous=promiscuous,
            action=action,
            stream=stream,
            ring_size=ring_size,
            frame_size=frame_size,
            attach=own.link.attach if own and own.link else attach,
            bind=bind,
            cpu=cpu,
            name=name,
            memory=memory,
            sampling=sampling,
            worker=worker,
            delivers=self._delivers,
            users_program=program is not None,
        )
        if own is not None:
            own.take_entries((max(configuration.queues) + 1) * configuration.sockets)
        interfaces = configuration.interfaces
        self.napi = NapiSettings(interfaces, configuration.queues, self.journal)
        self.steering = Steering(
            interfaces[0], allow_default_route=allow_default_route, journal=self.journal
        )
        wait = choice("wait", wait, WAIT_STRATEGIES)
        if configuration.kind != Kind.XSK and wait != "poll":
            refuse_wait(configuration.path)
        knobs = {
            "batch": _batch(batch, configuration.ring_size),
            "burst": self._word(Engine.burst, worker.burst),
            "wait": WAIT_STRATEGIES.index(wait),
            "sample_every": self._word(Engine.sample_every, sampling.every),
            "inspect": self._word(Engine.inspect, inspect),
            "checksum": self._word(Engine.checksum, worker.checksum),
        }
        replace_what_this_cell_made(self, interfaces[0], configuration.queues[0])
        refuse_loop(self, interfaces, configuration.first_action)
        self._native = NativeEngine(configuration, own)
        note(self)
        try:
            if own is not None:
                own.begin(self._native, configuration.attach, allow_default_route)
            names = [each for each in names_of(interfaces) for _ in configuration.worker_queues]
            self.telemetry = Telemetry(self._native.descriptor, names)
            for knob, value in knobs.items():
                self._store(knob, value)
            self._warn_if_ineffective(wait, callers=2)  # of this, `public_as` is the caller
            if stream is not None:
                remember(self)
        except BaseException:  # an interrupt, too, whose traceback may hold the engine for long
            if own is not None:
                own.end()
            self._native.close()
            raise

    def reconfigure(self, **changes: Any) -> None:
        """Change settings that need new sockets; the engine, its telemetry and its widgets stay.

        Until the new sockets are bound, packets go to the stack, and the ledger counts them in a
        line of their own. That takes about a tenth of a second, and up to a second more where the
        workers have full rings to drain. After an interrupt (Ctrl-C) the old settings are restored.

        Parameters
        ----------
        changes
            Any of the constructor's `queue` (as many as there were), `cpu`, `attach`, `bind`,
            `ring_size`, `frame_size`, `match`, `promiscuous`; of `Memory` `headroom`,
            `unaligned`, `huge_pages`, `multi_buffer`; of `Worker` `realtime`. Each by its own
            name, as in ``engine.reconfigure(headroom=64)``, so that the others of its group stay.

        Raises
        ------
        ConfigurationError
            For values that can't work; nothing was touched.
        KernelError
            When the kernel refuses: the engine keeps its old configuration. Or when a worker ended
            by itself: the engine can't recover from that, and nothing was changed.
        """
        for name, value in changes.items():
            refuse_group(name, value, self._by_reconfigure)
            refuse_unless_of_sockets(name, value, self._arguments())
        reconfigure(self, self._native, changes)

    def start(self) -> Self:
        """Start the worker, or leave it running.

        Raises
        ------
        KernelError
            When the wait strategy or the core can't be used here; or when the worker ended because
            its interface did: the engine can't recover from that.
        ClosedError
            After `close`.
        """
        with self._native.lock:
            self._native.check_ours()
            if fault := self.error:
                raise fault
            self._native.start()
        self.journal.switch("started")
        return self

    def stop(self) -> None:
        """Stop the worker. Socket, rings and counters stay, and `start` may follow.

        Packets that arrive meanwhile fill the RX ring; the kernel drops the rest, and counts them.
        """
        if self._native.stop():
            self.journal.switch("stopped")

    def close(self) -> None:
        """Stop the worker and release all resources. Telemetry stays readable."""
        if not self.closed:
            if self._native.is_ours:
                self.napi.restore()
                self.steering.close()
                if self._native.own_program is not None:
                    self._native.own_program.end()
            self._ending.closed = True
            if not self._native.close():
                callers = 1 + self._delivers  # `Capture.close` calls this
                warn_of_what_stays(self.name_of(0), self.configuration.umem_bytes, callers)

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or the constructor did not succeed."""
        return "_native" not in vars(self) or self._native.closed

    def _turn(self, knob: Knob[Any], value: object) -> None:
        if knob is Engine.action:
            action = self._word(knob, value)
            self.configuration.action_index(ACTIONS[action])
            self._refuse_without_handler(ACTIONS[action])
            refuse_loop(self, self.configuration.interfaces, ACTIONS[action])
        if knob is Engine.checksum and value == "device" and not self.configuration.asks_device:
            raise ConfigurationError(
                "checksum='device' takes room in front of each packet, which this engine's memory "
                "has not. Make another one: Engine(..., worker=Worker(checksum='device'))."
            )
        super()._turn(knob, value)

    @property
    def telemetry_path(self) -> str:
        """Path of the telemetry region for another process: `Telemetry.open` maps it."""
        with self._native.lock:
            return f"/proc/{os.getpid()}/fd/{self._native.descriptor}"

    def verdicts(self) -> Verdicts:
        """Read the XDP program's counts of its verdicts, summed over all interfaces.

        A program of your own keeps no such counts: all are 0. The ledger tells what is known.
        """
        with self._native.lock:
            ports = range(len(self.configuration.interfaces))
            each = [self._native.verdicts(port) for port in ports]
        return Verdicts(*map(sum, zip(*each, strict=True)))

    def refresh(self) -> None:
        """Bring a stopped engine's telemetry up to date: its rings fill without the worker."""
        self._native.refresh()

    def ledger(self, traffic: Traffic | None = None, *, drop_reasons: bool = False) -> Ledger:
        """Begin a ledger: where every packet goes from now on.

        Parameters
        ----------
        traffic
            The generator, where there is one.
        drop_reasons
            Whether it tells which packets the kernel dropped, and why; see `Ledger`.
        """
        return Ledger(self, traffic, drop_reasons=drop_reasons)

    def _load(self, name: str) -> int:
        return self._native.load(name)

    def _store(self, name: str, value: int) -> None:
        self._refuse_once_ended()
        self._native.store(name, value)

    def rates(self, seconds: float = 0.5) -> Rates:
        """Say what flows now: "1.24 Mpps received, 0 lost", of each queue where there are several.

        Parameters
        ----------
        seconds
            Over how long, up to now: above 0, at most 80.

        Returns
        -------
        Rates
            Packets received, lost and sent a second, by worker and in all. Lost are those that the
            sockets could not take; `ledger` counts all others, too.
        """
        length = seconds_within("seconds", seconds, 0.001, LONGEST_SECONDS)
        ports = range(len(self.configuration.interfaces))
        asked = self.configuration
        places = [asked.place_of(worker) for worker in range(len(asked.worker_queues))]
        names = [f"{self.end(port)} {place}" for port in ports for place in places]
        return Rates.of(self.telemetry, names, length)

    def flows(self) -> Flows:
        """Tell which flow lands on which queue: by the card's settings, and by the sampled packets.

        Of a card, `steering` says which hash, table and rules lead a flow to a queue; a veth has
        none, and its flows are shown where they arrived. ``engine.sample_every = 1`` samples all.

        Raises
        ------
        ConfigurationError
            On a UDP path, whose samples have no headers.
        """
        from xdplab.ledger.flows import flows_of  # noqa: PLC0415 - most do without

        return flows_of(self, self.steering.read(), self.steering.rules)

    def _brief(self) -> str:
        return brief(self)

    def _table(self) -> Table:
        return engine_table(self)


def _batch(asked: int | None, ring_size: int) -> int:
    """Check the batch that was asked for, or return the default."""
    if asked is None:
        return min(int(Engine.batch.default), ring_size)
    return whole("batch", asked, 1, ring_size)


def _own_program(program: Program | None, xskmap: str, interface: Interface) -> OwnProgram | None:
    """Check the program of the user's, if there is one, and its map."""
    if program is None:
        if name := text("xskmap", xskmap):
            raise ConfigurationError(
                f"xskmap={name!r} names a map of a program of your own: give that, too, "
                "program=Program(source, interface)."
            )
        return None
    from xdplab.engine.own_program import OwnProgram  # noqa: PLC0415 - most do without

    return OwnProgram(program, xskmap, interface)


def _resolved(
    interface: End, forward_to: End | None, allow_default_route: bool
) -> tuple[Interface, ...]:
    """Look up the interfaces, and check that they are two where there is a second."""
    ends = {"interface": interface}
    if forward_to is not None:
        ends["forward_to"] = forward_to
    interfaces = tuple(resolve(end, allow_default_route, name) for name, end in ends.items())
    if len(interfaces) > 1 and is_same(*interfaces):
        raise ConfigurationError(
            f"forward_to={interfaces[0].name} is the interface that it captures on. Name another "
            "one; action='reflect' sends back to where a packet came from."
        )
    return interfaces
