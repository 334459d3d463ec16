"""Engines on a program of the user's: what a link asks of them when another program replaces it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol

from xdplab.core.checks import shown
from xdplab.core.errors import ConfigurationError
from xdplab.programs.maps import TYPES
from xdplab.xdp.maps import Map

if TYPE_CHECKING:
    from xdplab.xdp.link import Link
    from xdplab.xdp.program import Program

_XSKMAP = TYPES.index("xskmap")


class Follower(Protocol):
    """An engine that receives through a program."""

    def follows(self, link: Link) -> bool:
        """Tell whether it receives on the link's interface."""

    def attached_anew(self) -> None:
        """Note that its program is on the interface again."""

    def inherit(self, link: Link) -> None:
        """Close the link, which was made for an engine that has ended, at its own end."""

    def choose(self, program: Program) -> Map:
        """Choose the XSKMAP of another program.

        Raises
        ------
        ConfigurationError
            When it has none for the engine.
        """

    def enter(self, xskmap: Map) -> None:
        """Enter the engine's sockets in another map, too.

        Raises
        ------
        KernelError
            When the kernel refuses; then none is in it.
        """

    def leave(self, xskmap: Map) -> None:
        """Take them out of that again."""

    def change(self, program: Program, xskmap: Map) -> None:
        """Take them out of the former map: from now on this is the engine's."""


def lead_over(followers: Collection[Follower], link: Link, program: Program) -> Leading:
    """Enter the sockets of all engines behind a link in the XSKMAP of its next program.

    Raises
    ------
    ConfigurationError, KernelError
        When one can't be; then none is.
    """
    chosen = [(each, each.choose(program)) for each in followers if each.follows(link)]
    leading = Leading()
    try:
        for each, xskmap in chosen:
            each.enter(xskmap)
            leading.entered.append((each, xskmap))
    except BaseException:
        leading.back()
        raise
    return leading


class Leading:
    """Engines whose sockets are in the maps of two programs."""

    def __init__(self) -> None:
        self.entered: list[tuple[Follower, Map]] = []

    def back(self) -> None:
        """Take them out of the next program's map."""
        for each, xskmap in self.entered:
            each.leave(xskmap)

    def done(self, program: Program) -> list[Follower]:
        """Take them out of the former program's map, and return the engines."""
        for each, xskmap in self.entered:
            each.change(program, xskmap)
        return [each for each, _map in self.entered]


def xskmap_of(maps: Mapping[str, Map], name: str) -> Map:
    """Choose a program's XSKMAP.

    Parameters
    ----------
    maps
        Its maps.
    name
        The map's name; empty for the only one.

    Raises
    ------
    ConfigurationError
        When there is none, or several without a name.
    """
    found = {each.name: each for each in maps.values() if each.type == _XSKMAP}
    names = ", ".join(found)
    if name:
        if name not in found:
            has = f"It has: {names}." if names else "It has none."
            raise ConfigurationError(f"xskmap={shown(name)} is no XSKMAP of the program. {has}")
        return found[name]
    if not found:
        raise ConfigurationError(
            "the program has no XSKMAP, by which packets get to an engine's sockets: declare a map "
            "of the type BPF_MAP_TYPE_XSKMAP, and redirect to it, bpf_redirect_map(&map, "
            "context->rx_queue_index, XDP_PASS)."
        )
    if len(found) > 1:
        raise ConfigurationError(
            f"the program has several XSKMAPs: {names}. Choose one, xskmap={next(iter(found))!r}."
        )
    return next(iter(found.values()))
