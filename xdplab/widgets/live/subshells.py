"""What keeps the controls of a widget alive while a cell runs.

JupyterLab (4.4 and newer) sends widget messages to a *subshell* of the kernel: the header of each
names one, and ipykernel 7 handles it on that subshell's thread, so that no busy cell holds it up.

ipykernel 7.4 overrules the header. A comm remembers the subshell from which it last published, and
what the browser sends to it goes there (``_reply_subshell_for`` in ``ipykernel/comm/comm.py``). Now
a widget is made by a cell, that is, by the main shell: its first messages queue up behind the next
busy cell. Once one of them has been handled, its echo was published on behalf of the subshell, so
from the second busy cell on all is well, until a cell sets a trait and the comm is the main shell's
again. A widget that a thread sends to fares worse: what a thread publishes counts as published by
whatever request came last, the busy cell itself, so that *every* busy cell holds it up.

(Seen with JupyterLab 4.6.6 and ipykernel 7.4.0: the messages leave the browser with the subshell's
id, and are handled on the main thread once the cell has ended.)

The rule is there for cells that await a widget's answer on the main thread's event loop. None of
ours is awaited, so each of our comms goes by the header alone, as with ipykernel 7.0 to 7.3.
"""

from __future__ import annotations

import ipywidgets


def follow_subshells(widget: ipywidgets.Widget) -> None:
    """Have messages to `widget` handled on the subshell that the browser addressed.

    Changes nothing where there is no kernel, or one that knows no other rule.
    """
    comm = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = _as_addressed


def _as_addressed(_data: object, addressed: str | None) -> str | None:
    return addressed
