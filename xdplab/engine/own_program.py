"""An engine on an XDP program of the user's: its sockets are in the program's XSKMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdplab.core.checks import instance_of, text
from xdplab.core.errors import ClosedError, ConfigurationError
from xdplab.native import lib
from xdplab.programs.links import link_facts
from xdplab.refusals.errors import new_error, raise_error
from xdplab.xdp.followers import xskmap_of
from xdplab.xdp.link import Link
from xdplab.xdp.program import Program

if TYPE_CHECKING:
    from xdplab.engine.native_engine import NativeEngine
    from xdplab.net.interface import Interface
    from xdplab.xdp.maps import Map

_PORT = 0  # such an engine has one interface


class OwnProgram:
    """The program of an engine's user, and the engine's part in it.

    Parameters
    ----------
    program, xskmap
        As `Engine` takes them.
    interface
        The engine's.

    Raises
    ------
    ConfigurationError
        When the program has no such map, or was loaded for another namespace.
    ClosedError
        When it was closed.
    """

    def __init__(self, program: object, xskmap: object, interface: Interface) -> None:
        self.program = instance_of("program", program, Program, "a Program")
        self._name, self._interface = text("xskmap", xskmap), interface
        if self.program.interface.namespace.identity != interface.namespace.identity:
            raise ConfigurationError(
                f"the program was not loaded for the network namespace of {interface.name}: load "
                "it for that interface, Program(source, interface)."
            )
        if self.program.closed:
            raise ClosedError("this program was closed. Load it again: Program(source, lab.port).")
        self._entries = 0
        self.xskmap = self.choose(self.program)
        self.times_attached_anew = 0
        """How often it was attached again, after it had been taken off."""
        self._native: NativeEngine | None = None
        self._made: Link | None = None
        self._settings: dict[str, Any] = {}

    def take_entries(self, entries: int) -> None:
        """Say how many entries of an XSKMAP the engine needs, the unused ones among them too.

        Raises
        ------
        ConfigurationError
            When it has fewer, now or in `choose`.
        """
        self._entries = entries
        self.choose(self.program)

    @property
    def link(self) -> Link | None:
        """The link by which the program is on the engine's interface; None where it is not."""
        return next((link for link in self.links if link.attached), None)

    @property
    def links(self) -> list[Link]:
        """Its links to the engine's interface, also those that were severed."""
        return [link for link in self.program._links if self.follows(link)]

    @property
    def index(self) -> int:
        """The index that the engine's interface has now, wherever it is; 0 where it is gone."""
        facts = [link_facts(link.fileno()) for link in self.links if not link.closed]
        return next((each.interface_index for each in facts if each), 0)

    def begin(self, native: NativeEngine, attach: str, allow_default_route: bool) -> None:
        """Attach the program where it is not, now that the sockets are in its map."""
        self._native = native
        self._settings = {"attach": attach, "allow_default_route": allow_default_route}
        self.attach()
        self.program._followers.add(self)

    def attach(self) -> None:
        """Attach the program where it is not, or not any more."""
        if self.link is None:
            made, self._made = self._made, None
            if made is not None:
                made.close()
            self._made = Link(self.program, self._interface, **self._settings)

    def attached_anew(self) -> None:
        """Note that a link was made while the engine ran."""
        self.times_attached_anew += 1

    def end(self) -> None:
        """Leave the program as it was: close the link that was made for engines, with the last."""
        self.program._followers.discard(self)
        made, self._made = self._made, None
        if made is None or made.closed:
            return
        others = (each for each in self.program._followers if each.follows(made))
        if (heir := next(others, None)) is not None:
            heir.inherit(made)
        else:
            made.close()

    def inherit(self, link: Link) -> None:
        """Close the link at the end."""
        self._made = link

    def follows(self, link: Link) -> bool:
        """Tell whether the link is on the engine's interface."""
        on = link.interface
        place = on.namespace.identity, on.index
        return place == (self._interface.namespace.identity, self._interface.index)

    def choose(self, program: Program) -> Map:
        """Choose the XSKMAP."""
        found = xskmap_of(program.maps, self._name)
        if found.entries < self._entries:
            raise ConfigurationError(
                f"the XSKMAP {found.name} has {found.entries:,} entries, and the "
                f"engine's sockets take {self._entries:,}: declare it with max_entries "
                f"{self._entries}."
            )
        return found

    def enter(self, xskmap: Map) -> None:
        """Enter the sockets in another map, too."""
        error = new_error()
        with self._engine.lock:
            entering = self._engine.pointer, _PORT, xskmap.fileno(), error
            if lib.xdplab_engine_enter_map(*entering):
                raise_error(error)

    def leave(self, xskmap: Map) -> None:
        """Take them out of that."""
        with self._engine.lock:
            lib.xdplab_engine_leave_map(self._engine.pointer, _PORT, xskmap.fileno())

    def change(self, program: Program, xskmap: Map) -> None:
        """Take them out of the former map."""
        error = new_error()
        with self._engine.lock:
            self.program, self.xskmap = program, xskmap
            changing = self._engine.pointer, _PORT, xskmap.fileno(), error
            if lib.xdplab_engine_change_map(*changing):
                raise_error(error)

    @property
    def _engine(self) -> NativeEngine:
        if self._native is None:
            raise ClosedError("this engine is not open.")
        return self._native
