"""The names of interfaces: each has one, and any number of alternative ones."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from typing import Any

from xdplab.core.errors import InterfaceGoneError


def names_of_link(link: Any) -> list[str]:
    """List the names of an interface from netlink, the alternative ones last."""
    listed = link.get_attr("IFLA_PROP_LIST")
    others = listed.get_attrs("IFLA_ALT_IFNAME") if listed else []
    return [str(link.get("ifname")), *map(str, others)]


def pick_link(name: str, links: Iterable[Any], tried: str) -> Any:
    """Return the link of a name, which may be an alternative one.

    Raises
    ------
    InterfaceGoneError
        When there is none; the message lists the names and suggests a close one.
    """
    named = [(names_of_link(link), link) for link in links]
    for names, link in named:
        if name in names:
            return link
    close = difflib.get_close_matches(name, [each for names, _ in named for each in names], 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    listed = sorted(_shown(names) for names, _ in named)
    raise InterfaceGoneError(tried, errno.ENODEV, f"Interfaces here: {', '.join(listed)}.{hint}")


def _shown(names: list[str]) -> str:
    name, *others = names
    return f"{name} (also {', '.join(others)})" if others else name
