"""An error as IPython shows it: the user's own lines and the message; the whole on request.

IPython asks an exception for its traceback by `_render_traceback_`. The frames within xdplab fill a
screen and push the message out of view, and a user can change none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

HINT = "%tb shows the whole traceback."
_WIDTH = 75  # of IPython's rule above an error

_OURS = __name__.partition(".")[0]


def rendered(
    error: BaseException, shown_in: object, instead: Sequence[str] = ()
) -> tuple[list[str], object]:
    """Return an error's lines for IPython.

    Parameters
    ----------
    error
        The error.
    shown_in
        What this returned the first time, or None. In a later cell, as with ``%tb``, and where the
        user chose a mode with ``%xmode``, it is the whole traceback.
    instead
        Lines to show in place of the user's lines of Python.

    Returns
    -------
    tuple
        The lines, and the cell in which they were first shown.
    """
    ipython: Any = sys.modules["IPython"]
    shell = ipython.get_ipython()
    table, cell, trace = shell.InteractiveTB, shell.execution_count, error.__traceback__
    kept = _kept(trace)
    if kept is None or table.mode != "Context" or shown_in not in (None, cell):
        return table.structured_traceback(type(error), error, trace, tb_offset=1), shown_in or cell
    if instead:
        name = type(error).__name__
        return ["-" * _WIDTH, name, *instead, f"\n{name}: {error}", f"\n{HINT}"], cell
    # IPython would show the errors that led to this one, each with a traceback.
    cause, suppressed = error.__cause__, error.__suppress_context__
    error.__cause__ = None  # which suppresses the context, too
    try:
        lines = table.structured_traceback(type(error), error, kept, tb_offset=0)
    finally:
        error.__cause__, error.__suppress_context__ = cause, suppressed
    return [*lines, f"\n{HINT}"], cell


def _kept(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback of the user's outermost and innermost frame, without those of others."""
    own = [step for step in _steps(trace) if _is_users(step)]
    kept: TracebackType | None = None
    for step in reversed(own[:1] + own[1:][-1:]):
        kept = TracebackType(kept, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return kept


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_users(step: TracebackType) -> bool:
    """Tell whether a frame is of a cell or a file of the user's, not of a library."""
    package = str(step.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    installed = "-packages/" in step.tb_frame.f_code.co_filename  # site-packages, dist-packages
    return package != _OURS and package not in sys.stdlib_module_names and not installed
