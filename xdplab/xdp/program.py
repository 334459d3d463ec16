"""An XDP program of the user's own: loaded, attached, replaced."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from xdplab import backends
from xdplab.configuration.configuration import ATTACH_MODES
from xdplab.core.calls import public
from xdplab.core.checks import boolean, choice, instance_of, mapping, text, whole
from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError, ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.held import HeldDescriptor
from xdplab.core.locks import new_lock
from xdplab.core.table import Table, Tabled
from xdplab.net.carrier import await_carrier
from xdplab.net.interface import name_now
from xdplab.net.namespace import to_the_end
from xdplab.net.replacing import replace_what_this_cell_made
from xdplab.net.resolve import End, resolve
from xdplab.net.sent_back import unnoticed
from xdplab.programs.described import Described
from xdplab.programs.elf import ElfObject, ObjectFileError
from xdplab.programs.functions import Linked
from xdplab.programs.links import link_facts
from xdplab.programs.print_formats import print_formats
from xdplab.programs.running import MOST_REPEATS, NO_QUEUE
from xdplab.programs.spec import refusal
from xdplab.xdp.disassembly import Disassembly, disassemble
from xdplab.xdp.followers import Follower, lead_over
from xdplab.xdp.kinds_of_maps import map_of
from xdplab.xdp.maps import HEADINGS
from xdplab.xdp.printed import Printed
from xdplab.xdp.refused import told_by_source
from xdplab.xdp.runs import ProgramRuns, frames_of
from xdplab.xdp.source import ProgramObject, object_of
from xdplab.xdp.statistics import ProgramStatistics
from xdplab.xdp.variables import Variables

if TYPE_CHECKING:
    from xdplab.backends.backend import LoadedProgram


@public
class Program(Tabled, FixedNames, Closing):
    """An XDP program of one's own, loaded into the kernel with its maps, and not yet attached.

    A program belongs to the network namespace that it was loaded for, and can be attached to each
    interface there. It lives until `close`, which also closes its links and its maps, or the end of
    its ``with``.

    Parameters
    ----------
    source
        A path to a file with C, whose name ends in ``.c``, or C itself, of more than one line:
        clang compiles it, with the headers of the kernel and of libbpf, and with ``vmlinux.h``, the
        types of the running kernel. Or a path to an object file that clang compiled for BPF
        (``clang -target bpf -O2 -g``), or its bytes, at most 2 MiB. It may have maps and global
        variables. Not supported are functions called by their address (as by ``bpf_loop``),
        relocations against the kernel's types (CO-RE), the kernel's functions and variables, maps
        of maps, and pinned maps.
    interface
        A side of a lab (``lab.port``), an `Interface`, or the name of a real one, in whose network
        namespace the program is to be used. An XSKMAP gets an entry for each of its queues, or the
        declared number where that is more.
    name
        The program's function, or its section. Needed where the file has several in ``xdp`` and
        ``xdp.frags``.
    constants
        Values for global variables that are ``const volatile``, by name, in place of those that
        they have in the source.

    Attributes
    ----------
    interface
        The interface that it was loaded for.
    name
        The name of its function.
    maps
        Its maps, by name: an `ArrayMap`, a `HashMap`, a `RingBuffer`, or another `Map`. Those of
        global variables are called as their sections: ``.data``, ``.bss``, ``.rodata``.
    variables
        Its global variables, by name, read and set while it runs.
    said
        The compiler's warnings; empty without any.
    source
        The C that it was compiled from; empty for an object file, except of the gallery.

    Raises
    ------
    CompileError
        When the source does not compile: with the compiler's words.
    ConfigurationError
        When clang is missing; when the file is no such object, or has what is not supported; and in
        a simulated lab, where nothing runs XDP programs.
    KernelError
        When the file can't be read, or the kernel refuses the maps.
    VerifierError
        When the kernel's verifier refuses the program: with the line of the source, the verifier's
        reason and log, and what usually helps.
    PermissionRefusedError
        Without CAP_NET_ADMIN and CAP_BPF.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes | ProgramObject,
        interface: End,
        *,
        name: str = "",
        constants: Mapping[str, Any] | None = None,
    ) -> None:
        self.interface = resolve(interface, allow_default_route=True)
        backend = backends.of(self.interface.namespace)
        named = text("name", name)
        wanted = mapping("constants", {} if constants is None else constants, "names and values")
        # A simulated lab refuses any program: it need not be compiled for that.
        made = object_of(b"" if backend.simulated else source)
        self.said, self.source = made.said, made.text
        data = _with_constants(made.data, wanted) if wanted and made.data else made.data
        self._made_of = data, named
        self._links: set[Link] = set()
        self._followers: set[Follower] = set()
        self._closed = False
        loaded: list[LoadedProgram] = []

        def load() -> None:
            with told_by_source(data, named):
                self._loaded = backend.load_program(self.interface, data, named)
            self.name = Linked(ElfObject(data), named).functions[0].symbol.name
            described, maps = Described(data), self._loaded.maps
            self.maps: Mapping[str, Any] = MappingProxyType(
                {facts.name: map_of(facts, held, described) for facts, held in maps}
            )
            places = described.variables({facts.name: facts for facts, _held in maps})
            self.variables = Variables(places, self.maps)
            loaded.append(self._loaded)

        try:
            to_the_end(load)  # an interrupt finds each descriptor held by one that closes it
        except BaseException:
            if loaded:
                self.close()
            raise

    def attach(
        self,
        interface: End | None = None,
        attach: str = "native",
        *,
        allow_default_route: bool = False,
    ) -> Link:
        """Attach it, and return the link; parameters and errors are those of `Link`."""
        return Link(self, interface, attach, allow_default_route=allow_default_route)

    def test_run(self, frames: object, *, repeat: int = 1, queue: int | None = None) -> ProgramRuns:
        """Run it on frames that never were on a wire; nothing is sent, and its maps are its own.

        It need not be attached. A `repeat` of 10,000 or more gives a time that can be compared: a
        single run pays for what the caches lack.

        Parameters
        ----------
        frames
            One frame, or several: ``bytes``, a list of them, an array of uint8 of shape (bytes,) or
            (n, bytes), a `Batch` (each of its elements is a frame), a packet of scapy's. A frame
            has 14 to 32,000 bytes. One of more than about 3,500 is given to the program in several
            buffers.
        repeat
            Runs on each frame, 1 to 1,000,000. The first gives verdict and output, the others the
            time; each of them gets the frame as the one before left it. Through a broker all runs
            on a frame may take 2 s.
        queue
            The receive queue of `interface` that the program sees as the frame's. By default it
            sees queue 0 of the loopback interface.

        Returns
        -------
        ProgramRuns
            For each frame: the verdict, the bytes as the program left them, and ns a run.

        Raises
        ------
        ClosedError
            When the program was closed.
        ConfigurationError
            For what is no frame.
        KernelError
            When the kernel refuses.
        """
        given = frames_of(frames)
        times = whole("repeat", repeat, 1, MOST_REPEATS)
        chosen = NO_QUEUE
        if queue is not None:
            chosen = whole("queue", queue, 0, self.interface.now().queues - 1)
        ran = _loaded(self).run(self.interface, given, times, chosen)
        return ProgramRuns(ran, [len(frame) for frame in given])

    def disassemble(self) -> Disassembly:
        """Return its instructions, as clang made them, beside the lines of its source.

        Raises
        ------
        ConfigurationError
            When llvm-objdump is missing.
        """
        return disassemble(*self._made_of)

    @property
    def links(self) -> tuple[Link, ...]:
        """The links by which it was attached, until they are closed."""
        return tuple(self._links)

    def statistics(self) -> ProgramStatistics:
        """Count its runs from now on, and measure them: ``with program.statistics() as counts:``.

        The kernel counts, for all BPF programs of the machine, until this is closed: that costs
        each of them about 20 ns a run, and so is off otherwise.

        Returns
        -------
        ProgramStatistics
            `runs`, and `nanoseconds` a run.

        Raises
        ------
        ClosedError
            When the program was closed.
        PermissionRefusedError
            Without CAP_SYS_ADMIN; a broker has it.
        """
        return ProgramStatistics(_loaded(self))

    def printed(self, *, everything: bool = False) -> Printed:
        """Receive the lines that it prints with bpf_printk: ``with program.printed() as lines:``.

        The kernel does not tell which program printed a line. Those that match none of this
        program's formats are left out; one that another program printed with such a format is not.

        Parameters
        ----------
        everything
            Whether to have the lines of all BPF programs of the machine.

        Returns
        -------
        Printed
            `records` gives the lines as they come, `read` those that wait.

        Raises
        ------
        ClosedError
            When the program was closed.
        ConfigurationError
            When its object file has no formats of bpf_printk.
        PermissionRefusedError
            When this process is not root; through a broker.
        KernelError
            When the kernel has no tracefs.
        """
        wants_all = boolean("everything", everything)
        loaded = _loaded(self)
        formats = None if wants_all else print_formats(self._made_of[0])
        if formats is not None and not formats:
            raise ConfigurationError(
                "the program has no bpf_printk, by whose formats its lines are known: "
                "program.printed(everything=True) gives the lines of all programs."
            )
        return Printed(loaded.open_printed(), formats)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Close its links, its maps and the program."""
        self._closed = True
        with ExitStack() as closing:  # an interrupt in one ends none of the others
            closing.callback(self._loaded.close)
            for each in self.maps.values():
                closing.callback(each.close)
            closing.callback(self.variables.release)
            for link in list(self._links):
                closing.callback(link.close)

    def _table(self) -> Table:
        if self.closed:
            return Table(self._brief())
        attached = [link.interface for link in self._links if link.attached]
        on = ", ".join(map(name_now, attached))
        rows = [each.row for each in self.maps.values()]
        title = f"Program for {name_now(self.interface)}, attached to {on or 'nothing'}"
        lines = [*self.said.splitlines(), *filter(None, map(unnoticed, attached))]
        return Table(title, rows, HEADINGS if rows else (), lines)

    def _brief(self) -> str:
        if self.closed:
            return "<Program closed>"
        return f"<Program on {name_now(self.interface)}: {', '.join(self.maps) or 'no maps'}>"


@public
class Link(Tabled, FixedNames, HeldDescriptor):
    """A program on an interface: closing the link detaches the program.

    The program stays attached until `close`, also where no variable holds the link, or the end of
    the process, however it ends. In a notebook, re-running the cell that attached a program
    detaches the former one first.

    Parameters
    ----------
    program
        The program; `Program.attach` gives it.
    interface
        An interface of the namespace that it was loaded for; by default the one it was loaded for.
    attach
        ``"native"`` runs it in the driver, ``"skb"`` in the stack, on any device.
    allow_default_route
        Whether it may be attached to an interface that carries the default route.

    Raises
    ------
    ClosedError
        When the program was closed.
    ConfigurationError
        When the interface is in another namespace, is down, or carries the default route.
    QueueBusyError
        When the interface has an XDP program, as an engine attaches one.
    KernelError
        When the kernel refuses for another reason.
    """

    def __init__(
        self,
        program: Program,
        interface: End | None = None,
        attach: str = "native",
        *,
        allow_default_route: bool = False,
    ) -> None:
        self._program = instance_of("program", program, Program, "a Program")
        self.attach = choice("attach", attach, ATTACH_MODES)
        wanted = program.interface if interface is None else interface
        allowed = boolean("allow_default_route", allow_default_route)
        self.interface = resolve(wanted, allowed)
        if self.interface.namespace.identity != program.interface.namespace.identity:
            raise ConfigurationError(
                f"interface={self.interface.name!r} is not in the network namespace that the "
                "program was loaded for: load it for that interface, too, "
                "Program(source, interface)."
            )
        self._lock = new_lock()
        loaded = _loaded(program)
        replace_what_this_cell_made(self, self.interface)

        def attach_it() -> None:
            descriptor = loaded.attach(self.interface, ATTACH_MODES[self.attach])
            HeldDescriptor.__init__(
                self, descriptor, "this link was closed: attach anew, program.attach()."
            )
            self._facts = link_facts(descriptor)
            program._links.add(self)
            _attached.add(self)
            for each in program._followers:
                if each.follows(self):
                    each.attached_anew()

        try:
            to_the_end(attach_it)  # an interrupt finds the link made, and closes it
            await_carrier([self.interface])
        except BaseException:
            if self in _attached:
                self.close()
            raise

    @property
    def program(self) -> Program:
        """The program that runs."""
        return self._program

    @property
    def attached(self) -> bool:
        """Whether the program is on an interface by this link.

        It is not after `close`, once the interface was removed, and where someone else took the
        program off (``bpftool link detach``) or put another in its place. It stays on an interface
        that moves to another network namespace.
        """
        if self.closed:
            return False
        now, then = link_facts(self.fileno()), self._facts
        return now is None or then is None or (now.interface_index > 0 and now[1] == then[1])

    def replace(self, program: Program) -> None:
        """Put another program in the place of the present one: each packet gets one of the two.

        The link then belongs to the new program. The old one stays loaded. Engines that receive
        through the link have their sockets in the new program's XSKMAP before it runs: no packet
        is lost. It must have one, of the same name where an engine was told a name.

        Raises
        ------
        ClosedError
            After `close` of the link or of the program.
        ConfigurationError
            When the program was loaded for another network namespace, or has no XSKMAP for an
            engine that receives through the link.
        KernelError
            When the kernel refuses: the old program stays, and runs on.
        """
        instance_of("program", program, Program, "a Program")
        if program.interface.namespace.identity != self.interface.namespace.identity:
            raise ConfigurationError(
                "the program was loaded for another network namespace: load it for this one, "
                "Program(source, link.interface)."
            )
        with self._lock:
            to_the_end(lambda: self._replace(program))  # an interrupt finds either program

    def _replace(self, program: Program) -> None:
        before = self._program
        loaded = _loaded(program)
        # By itself, it has the sockets already.
        following = before._followers if program is not before else ()
        leading = lead_over(following, self, program)
        try:
            loaded.replace(self.fileno())
        except BaseException:
            leading.back()
            raise
        before._links.discard(self)
        program._links.add(self)
        self._program, self._facts = program, link_facts(self.fileno())
        followers = leading.done(program)
        before._followers.difference_update(followers)
        program._followers.update(followers)

    def close(self) -> None:
        """Detach the program."""
        with self._lock:
            try:
                super().close()
            finally:  # an interrupt comes once the kernel has closed it
                self._program._links.discard(self)
                _attached.discard(self)

    def _table(self) -> Table:
        return Table(self._brief()[1:-1], self._program._table().rows, HEADINGS)

    def _brief(self) -> str:
        if self.closed:
            return "<Link closed>"
        where = f"on {name_now(self.interface)}" if self.attached else "on no interface any more"
        return f"<Link {where}, attach={self.attach!r}>"


_attached: set[Link] = set()


def _loaded(program: Program) -> LoadedProgram:
    if program.closed:
        raise ClosedError("this program was closed. Load it again: Program(source, lab.port).")
    return program._loaded


def _with_constants(data: bytes, constants: Mapping[str, Any]) -> bytes:
    try:
        return Described(data).with_constants(constants)
    except ObjectFileError as error:
        raise refusal(error) from error
