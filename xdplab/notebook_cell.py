"""Re-running the cell that made an engine replaces the engine.

Two engines on one queue are a mistake, which the kernel refuses. In a notebook there is one
exception: when a cell runs again, its name still holds the old engine while the new one is made.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from xdplab.engine import Engine

_makers: WeakKeyDictionary[Engine, tuple[object, ...]] = WeakKeyDictionary()


def replace_engine_of_this_cell(engine: Engine) -> None:
    """Close an open engine on the same queue that the same notebook cell made before.

    Does nothing outside a notebook, and nothing to what another cell made.
    """
    cell = _current_cell()
    if cell is None:
        return
    interface = engine.interface
    maker = (cell, interface.namespace, interface.index, engine.queues)
    for other in [other for other, made in _makers.items() if made == maker]:
        other.close()
    _makers[engine] = maker


def _current_cell() -> str | None:
    ipython: Any = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython else None
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    # Jupyter's front ends name the cell of an execute request (ipykernel 6.4 and newer).
    cell = parent.get("metadata", {}).get("cellId")
    return str(cell) if cell else None
