"""A program on an interface: attached, replaced, detached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.configuration.binding import ATTACH_MODES
from xdplab.core.calls import public
from xdplab.core.checks import boolean, choice, instance_of
from xdplab.core.errors import ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.held import HeldDescriptor
from xdplab.core.locks import new_lock
from xdplab.core.table import Table, Tabled
from xdplab.net.carrier import await_carrier
from xdplab.net.interface import name_now
from xdplab.net.namespace import to_the_end
from xdplab.net.replacing import replace_what_this_cell_made
from xdplab.net.resolve import End, resolve
from xdplab.programs.links import link_facts
from xdplab.xdp.attachable import Attachable
from xdplab.xdp.followers import lead_over
from xdplab.xdp.maps import HEADINGS

if TYPE_CHECKING:
    from xdplab.xdp.program import Program


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
        instance_of("program", program, Attachable, "a Program")
        self._program = program
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
        loaded = program._ready()
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
        instance_of("program", program, Attachable, "a Program")
        if program.interface.namespace.identity != self.interface.namespace.identity:
            raise ConfigurationError(
                "the program was loaded for another network namespace: load it for this one, "
                "Program(source, link.interface)."
            )
        with self._lock:
            to_the_end(lambda: self._replace(program))  # an interrupt finds either program

    def _replace(self, program: Program) -> None:
        before = self._program
        loaded = program._ready()
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
            except BaseException:
                super().close()  # an interrupt may come before the kernel is asked
                raise
            finally:
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
