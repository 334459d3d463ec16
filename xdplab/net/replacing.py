"""Re-running the cell that made an engine or a generator replaces it.

Two engines on one queue, or two generators on one interface, are a mistake, which the kernel
refuses. In a notebook there is one exception: when a cell runs again, its name still holds the old
one while the new one is made.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from xdplab.net.interface import Interface


class Closable(Protocol):
    """An object that can be replaced."""

    def close(self) -> None:
        """Release the resource that the kernel has only one of."""


_makers: WeakKeyDictionary[Closable, tuple[object, ...]] = WeakKeyDictionary()


def replace_what_this_cell_made(made: Closable, interface: Interface, queue: int = 0) -> None:
    """Close the object of the same class and place that this notebook cell made before.

    Does nothing outside a notebook, and leaves objects of other cells alone.
    """
    # An interface that is looked up again comes with another descriptor of the same namespace.
    replace_at(made, interface.namespace.identity, interface.index, queue)


def replace_at(made: Closable, *place: object) -> None:
    """Do the same for a place that is no interface."""
    cell = current_cell()
    if cell is None:
        return
    maker = (type(made), cell, *place)
    for other in [other for other, made_by in _makers.items() if made_by == maker]:
        other.close()
    _makers[made] = maker


def current_cell() -> str | None:
    """Return the id of the notebook cell that runs; None where it is not known."""
    ipython: Any = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython else None
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    # Jupyter's front ends name the cell of an execute request (ipykernel 6.4 and newer).
    cell = parent.get("metadata", {}).get("cellId")
    return str(cell) if cell else None
