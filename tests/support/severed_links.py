"""Links of XDP programs that someone else cuts."""

from __future__ import annotations

from xdplab import Link
from xdplab.native import lib


def sever(link: Link) -> None:
    """Do as `bpftool link detach` does."""
    interface = link.interface
    assert interface.namespace.run(lib.xdplab_detach_programs, interface.index) == 0
