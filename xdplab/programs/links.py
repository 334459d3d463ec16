"""What the kernel says of a link between an XDP program and an interface, by its descriptor."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class LinkFacts(NamedTuple):
    """Where a link is, and for which program."""

    interface_index: int
    """In the interface's present namespace; 0 where the link was severed: by someone else, or with
    its interface."""
    program: int
    """The program's id."""


def link_facts(descriptor: int) -> LinkFacts | None:
    """Ask the kernel, which takes no privilege; None where /proc can't be read."""
    try:
        text = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
        facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return LinkFacts(int(facts["ifindex"]), int(facts["prog_id"]))
    except (OSError, KeyError, ValueError):
        return None
