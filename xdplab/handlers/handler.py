"""A handler: a function of native code, and the memory that it shares with Python."""

from __future__ import annotations

import itertools
from typing import Any

from xdplab.core.calls import public
from xdplab.core.checks import boolean, is_a, shown, text
from xdplab.core.closing import Uncopied
from xdplab.core.errors import ConfigurationError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.handlers.functions import address_of
from xdplab.native import ffi

_numbers = itertools.count(1)


@public
class Handler(Tabled, FixedNames, Uncopied):
    """A function that a worker calls for each packet, with memory that it shares with Python.

    ``engine.handler = ...`` makes one of a function by itself: this is for a function with a state.

    Parameters
    ----------
    function
        A function with ``@numba.cfunc(xdplab.handler_signature)`` in front of it; or a function
        pointer of ctypes or cffi with the signature in ``xdplab/include/xdplab_handler.h``.
    state
        A numpy array, or other memory that can be written to, in one piece. The function gets its
        address, on all workers the same. It can't be resized meanwhile.
    sends
        Whether it may send packets. Where it never does, False saves the worker a look at each
        packet's checksum, which a sender may have left unfinished; a verdict to send is refused.
    name
        Its name, where it is shown; by default the function's.

    Raises
    ------
    ConfigurationError
        When the function is none that can be called so, or the state is no such memory.
    """

    _of_the_package = ("handling",)

    def __init__(
        self, function: Any, *, state: Any = None, sends: bool = True, name: str = ""
    ) -> None:
        self.made_by, address = address_of(function)
        """What compiled it, or made the pointer to it: ``"numba"``, ``"ctypes"``, ``"cffi"``."""
        self.sends = boolean("sends", sends)
        """Whether it may send packets."""
        self.name = text("name", name) or _name_of(function)
        """Its name."""
        self.function, self.state = function, state
        """The function, and the memory, that it was made of."""
        self._memory = None if state is None else _memory_of(state)
        pointer = ffi.NULL if self._memory is None else self._memory
        self.handling = ffi.new(
            "struct xdplab_handling *",
            {
                "function": ffi.cast("xdplab_handler *", address),
                "state": pointer,
                "number": next(_numbers),
                "sends": self.sends,
            },
        )

    def _brief(self) -> str:
        return f"<{type(self).__name__} {self.name}, {self.made_by}{self._with_state()}>"

    def _with_state(self) -> str:
        return "" if self._memory is None else f", state of {counted(len(self._memory), 'byte')}"

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("made by", self.made_by)]
        if self._memory is not None:
            rows.append(("state", counted(len(self._memory), "byte")))
        return rows

    def _table(self) -> Table:
        return Table(f"{type(self).__name__} {self.name}", self._rows())


def handler_of(value: object) -> Handler:
    """Return a handler, made of a function where it is none yet."""
    return value if is_a(value, Handler) else Handler(value)


def _name_of(function: Any) -> str:
    name = getattr(function, "__name__", None) or getattr(function, "native_name", None)
    return name if isinstance(name, str) else "handler"


def _memory_of(state: Any) -> Any:
    try:
        whole = not getattr(getattr(state, "dtype", None), "hasobject", False)
        if whole:
            return ffi.from_buffer("char[]", state, require_writable=True)
    except Exception:  # raised by the value's own methods, TypeError, BufferError, ValueError
        whole = False
    raise ConfigurationError(
        f"state={shown(state)} must be memory in one piece that can be written to, without Python "
        "objects in it, such as numpy.zeros(8, numpy.uint64)."
    )
