"""An XDP program of the user's, loaded by this process."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from xdplab.core.descriptors import close_all
from xdplab.core.errors import ConfigurationError
from xdplab.net.namespace import to_the_end
from xdplab.programs.loading import attach_program, load_program, replace_program
from xdplab.programs.maps import MapFacts
from xdplab.programs.spec import parse, refusal
from xdplab.refusals.remedies import Place

if TYPE_CHECKING:
    from xdplab.net.interface import Interface


class KernelProgram:
    """Holds the descriptor of a program, in this process.

    `data` and `name` are as `Backend.load_program` takes them; XSKMAPs have at least `queues`
    entries.
    """

    def __init__(self, data: bytes, name: str, queues: int) -> None:
        try:
            spec = parse(data, name).for_queues(queues)
        except ConfigurationError as error:
            raise refusal(error) from error
        self._program, descriptors = load_program(spec)
        self._closer = weakref.finalize(self, os.close, self._program)
        facts = (MapFacts(*(getattr(one, name) for name in MapFacts._fields)) for one in spec.maps)
        self.maps = list(zip(facts, descriptors, strict=True))

    def attach(self, interface: Interface, attach_mode: int) -> int:
        """Attach it in the interface's namespace."""
        made: list[int] = []
        place = Place(interface, own_program=True)

        def attach() -> None:
            made.append(attach_program(self._program, interface.index, attach_mode, place))

        try:
            # An interrupt must not leave a link that nobody holds.
            to_the_end(lambda: interface.namespace.run(attach))
        except BaseException:
            close_all(made)
            raise
        return made[0]

    def replace(self, link: int) -> None:
        """Take the place of the program of a link."""
        replace_program(link, self._program)

    def close(self) -> None:
        """Close the descriptor."""
        self._closer()
