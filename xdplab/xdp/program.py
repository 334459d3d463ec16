"""An XDP program of the user's own, loaded into the kernel."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from xdplab import backends
from xdplab.core.calls import public
from xdplab.core.checks import boolean, mapping, text, whole
from xdplab.core.errors import ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.net.interface import name_now
from xdplab.net.namespace import to_the_end
from xdplab.net.resolve import End, resolve
from xdplab.net.sent_back import unnoticed
from xdplab.programs.described import Described
from xdplab.programs.elf import ElfObject, ObjectFileError
from xdplab.programs.functions import Linked
from xdplab.programs.print_formats import print_formats
from xdplab.programs.running import MOST_REPEATS, NO_QUEUE
from xdplab.programs.spec import refusal
from xdplab.xdp.attachable import Attachable
from xdplab.xdp.disassembly import Disassembly, disassemble
from xdplab.xdp.kinds_of_maps import map_of
from xdplab.xdp.link import Link
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
class Program(Tabled, FixedNames, Attachable):
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
        Attachable.__init__(self)
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
        ran = self._ready().run(self.interface, given, times, chosen)
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
        return ProgramStatistics(self._ready())

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
        loaded = self._ready()
        formats = None if wants_all else print_formats(self._made_of[0])
        if formats is not None and not formats:
            raise ConfigurationError(
                "the program has no bpf_printk, by whose formats its lines are known: "
                "program.printed(everything=True) gives the lines of all programs."
            )
        return Printed(loaded.open_printed(), formats)

    def close(self) -> None:
        """Close its links, its maps and the program."""
        try:
            self._close_all()
        except BaseException:
            self._close_all()  # an interrupt may come before it knows all that there is to close
            raise

    def _close_all(self) -> None:
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


def _with_constants(data: bytes, constants: Mapping[str, Any]) -> bytes:
    try:
        return Described(data).with_constants(constants)
    except ObjectFileError as error:
        raise refusal(error) from error
