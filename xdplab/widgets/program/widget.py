"""An attached XDP program, live: the ways of its packets, its maps, its source."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import ipywidgets

from xdplab.core.calls import public
from xdplab.core.checks import choice, is_a, mapping
from xdplab.core.errors import ConfigurationError, XdplabError
from xdplab.core.locks import new_lock
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.control import Control
from xdplab.widgets.program.feeds import ProgramFeeds
from xdplab.widgets.program.figure import program_figure
from xdplab.widgets.program.reader import ProgramReader, Reading
from xdplab.widgets.program.tables import source_html, state_html
from xdplab.widgets.program.ways import WAYS
from xdplab.widgets.style.palette import GREEN, GREY, VERMILLION
from xdplab.xdp.gallery import GALLERY, GalleryProgram
from xdplab.xdp.link import Link
from xdplab.xdp.program import Program

_HALF = {"flex": "1 1 380px", "min_width": "0", "margin": "0 12px 0 0"}


@public
class ProgramView(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """An attached XDP program: where its packets go, a run's time, its maps, and its source.

    A menu puts another program in its place, in one step of the kernel: each packet gets one of the
    two. A program that can't take its place changes nothing, and a word below the menu says why.

    Rates are the driver's own counts of verdicts, which veth has in native mode. A run's time is
    the kernel's, measured for a twentieth of a second twice a second, while somebody looks: that
    costs each BPF program of the machine about 20 ns a run.

    Parameters
    ----------
    link
        The link, which `Program.attach` returns; or a `Program` that is attached.
    programs
        Programs for the menu, by name: what `Program` takes as its source, or a `Program`. Default:
        the gallery's. Those that the widget loads stay loaded until `close`, with their maps.

    Raises
    ------
    ConfigurationError
        When the program is not attached.
    InterfaceGoneError
        When the interface is gone.
    """

    def __init__(self, link: Link | Program, programs: Mapping[str, Any] | None = None) -> None:
        self._link = _link_of(link)
        wanted = mapping("programs", GALLERY if programs is None else programs, "programs by name")
        self._sources: dict[str, Any] = {str(name): source for name, source in wanted.items()}
        self._loaded: dict[str, Program] = {}
        self._lock = new_lock()  # held while a program is put in another's place
        self._reader = ProgramReader(self._link)
        self._feeds = ProgramFeeds()
        self._sourced: Program | None = None
        self._shown: Reading | None = None
        self._is_telling = False
        self._menu = ipywidgets.Dropdown(description="Program", layout={"width": "260px"})
        self._menu.observe(self._chosen, "value")
        self._control = Control(self._menu)
        self._status, self._state = ipywidgets.HTML(), ipywidgets.HTML(layout=_HALF)
        self._source = ipywidgets.HTML(layout=_HALF)
        for half in (self._state, self._source):
            half.add_class("xdplab-half")
        self._figure = LiveFigure(
            program_figure(),
            self._feeds.feeds,
            rollover=0,
            on_beat=self._beat,
            description=f"the XDP program on {self._link.interface.name}",
        )
        top = ipywidgets.HBox([self._control, self._status], layout={"flex_flow": "row wrap"})
        below = ipywidgets.HBox([self._state, self._source], layout={"flex_flow": "row wrap"})
        super().__init__([top, self._figure, below])
        self._show()

    def __repr__(self) -> str:
        counts = self.counts
        told = "" if counts is None else ", ".join(f"{n:,} {way}" for way, n in counts.items())
        return f"<ProgramView: {self._words()}{told and f': {told}'}>"

    @property
    def counts(self) -> dict[str, int] | None:
        """Packets by verdict since the widget was made, read now.

        ``passed``, ``redirected``, ``sent`` and ``dropped``; None where the driver does not count
        them. When the interface is gone, the last ones.
        """
        counts = self._reader.read().counts
        return None if counts is None else {way.name: getattr(counts, way.name) for way in WAYS}

    @property
    def program(self) -> Program:
        """The program that is attached."""
        return self._link.program

    def replace(self, name: str) -> None:
        """Put a program of the menu in the place of the present one.

        Parameters
        ----------
        name
            As the menu has it.

        Raises
        ------
        ConfigurationError
            When the menu has no such program, or an engine could not receive through it.
        CompileError, VerifierError, KernelError, ClosedError
            When it can't be loaded or attached. The present program stays.
        """
        chosen = choice("name", name, self._sources)
        with self._lock:
            self._link.replace(self._load(chosen))
        self._reader.read()
        self._show()

    def close(self) -> None:
        """Close the widget, and the programs that it loaded, but for the one that is attached."""
        super().close()
        for program in getattr(self, "_loaded", {}).values():
            if program is not self._link.program or self._link.closed:
                program.close()

    def _load(self, name: str) -> Program:
        source = self._sources[name]
        if is_a(source, Program):
            return source
        if (found := self._loaded.get(name)) is None or found.closed:
            found = self._loaded[name] = Program(source, self._link.interface)
        return found

    def _chosen(self, change: dict[str, Any]) -> None:
        if self._is_telling or change["new"] is None:
            return
        try:
            self.replace(change["new"])
            self._control.say("")
        except XdplabError as error:
            self._control.say(str(error))
            self._tell_menu()

    # On the pump's thread, or on that of who replaces.

    def _beat(self) -> None:
        self._reader.look()
        self._show()

    def _show(self) -> None:
        reading = self._reader.reading
        self._status.value = self._status_html()
        if reading is self._shown:
            return
        self._shown = reading
        for model, properties in self._feeds.draw(reading, self._link.interface.name).items():
            self._figure.set(model, **properties)
        self._state.value = state_html(reading.program)
        if reading.program is not self._sourced:
            self._sourced = reading.program
            self._source.value = source_html(reading.program)
            self._tell_menu()

    def _tell_menu(self) -> None:
        """Show in the menu which program is attached; one of the user's own is there, too."""
        name = self._name_of(self._link.program)
        self._is_telling = True
        try:
            with self._menu.hold_sync():
                if tuple(self._menu.options) != tuple(self._sources):
                    self._menu.options = tuple(self._sources)
                self._menu.value = name
        finally:
            self._is_telling = False

    def _name_of(self, present: Program) -> str:
        for name, source in self._sources.items():
            if self._loaded.get(name, source) is present:
                return name
        name = present.name
        while name in self._sources and not _stands_for(present, self._sources[name]):
            name = f"{name} (yours)"
        self._sources = {name: present} | {
            other: source for other, source in self._sources.items() if other != name
        }
        return name

    def _words(self) -> str:
        name = self._link.program.name
        if not self._link.attached:
            return f"{name}: detached"
        on = f"{name} on {self._link.interface.name}, attach={self._link.attach!r}"
        reading = self._reader.reading
        if self._reader.problem:
            return f"{on}: {self._reader.problem}"
        if reading.counts is None:
            return f"{on}: this driver does not count verdicts"
        return on

    def _status_html(self) -> str:
        wrong = bool(self._reader.problem)
        color = VERMILLION if wrong else GREEN if self._link.attached else GREY
        return (
            '<div class="xdplab-state" style="line-height: 1.6; padding: 2px 0 0 12px">'
            f'<span style="color: {color}; margin-right: 6px">&#9679;</span>'
            f"<span>{html.escape(self._words())}</span></div>"
        )


def _link_of(link: object) -> Link:
    if is_a(link, Link):
        return link
    if not is_a(link, Program):
        raise ConfigurationError("link must be a Link, program.attach(), or an attached Program.")
    if not link.links:
        raise ConfigurationError("the program is not attached: link = program.attach().")
    return link.links[0]


def _stands_for(program: Program, source: object) -> bool:
    """Tell whether a program takes the place of a source in the menu."""
    if is_a(source, Program):
        return source.closed
    return is_a(source, GalleryProgram) and source.source == program.source
