"""Keeps the controls of a widget responsive while a cell runs.

JupyterLab (4.4 and newer) sends widget messages to a *subshell* of the kernel: the header of each
names one, and ipykernel 7 handles it on that subshell's thread, so that no busy cell delays it.

ipykernel 7.4 overrides the header. A comm remembers the subshell from which it last published, and
the browser's messages go to that one (``_reply_subshell_for`` in ``ipykernel/comm/comm.py``). A
widget is made by a cell, that is, by the main shell, so its first messages wait for the next busy
cell to end. Once one of them has been handled, its echo was published on behalf of the subshell, so
later busy cells do not delay it, until a cell sets a trait and the comm is the main shell's again.
It is worse for a widget that a thread updates: a message from a thread counts as published by the
last request, the busy cell itself, so that *every* busy cell delays it.

(Seen with JupyterLab 4.6.6 and ipykernel 7.4.0: the messages leave the browser with the subshell's
id, and are handled on the main thread once the cell has ended.)

The rule is for cells that await a widget's answer on the main thread's event loop. No cell awaits
our widgets, so our comms use the header alone, as with ipykernel 7.0 to 7.3.
"""

from __future__ import annotations

import ipywidgets


def follow_subshells(widget: ipywidgets.Widget) -> None:
    """Make the kernel handle messages to `widget` on the subshell that the browser addressed.

    Changes nothing without a kernel, or with a kernel that always does so.
    """
    comm = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = _as_addressed


def _as_addressed(_data: object, addressed: str | None) -> str | None:
    return addressed
