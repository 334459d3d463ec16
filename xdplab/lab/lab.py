"""A lab: two hosts joined by a wire, isolated from everything else.

```
  host's namespace         a namespace             another namespace
  ┌──────────────┐        ┌──────────────┐  veth  ┌──────────────┐
  │ eth0, ...    │        │ port0   .1   ├────────┤ peer0   .2   │
  │ (untouched)  │        │ lab.port     │        │ lab.peer     │
  └──────────────┘        └──────────────┘        └──────────────┘
                            an engine captures      traffic comes from here
```

The lab puts nothing into the host's namespace, not even for a moment, and only descriptors hold
both namespaces: however the process ends, the kernel removes everything. Where no backend may make
such a lab, the wire is simulated.
"""

from __future__ import annotations

import os
import warnings

from xdplab.backends import BEST, Backend, candidates, make
from xdplab.backends.lab_plan import MOST_WIRES, LabPlan
from xdplab.core.calls import public
from xdplab.core.checks import whole
from xdplab.core.closing import Closing
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.net.host import Host, PingResult
from xdplab.net.interface import Interface

__all__ = ["Host", "Interface", "Lab", "PingResult"]

MOST_QUEUES = 4096  # the kernel's own limit
SMALLEST_MTU, LARGEST_MTU = 1280, 65535  # what IPv6 needs, what veth takes


class BackendWarning(UserWarning):
    """A lab was not made by the best backend, since that can't be used here."""


@public
class Lab(Tabled, FixedNames, Closing):
    """Two hosts joined by a wire, isolated from the host's network and from other labs.

    `port` is the side on which an engine captures, `peer` the other end of the wire, from which
    traffic comes. The link is up and quiet when the constructor returns: with nobody sending, no
    frame arrives by itself.

    A context manager; `close`, the end of the process, and dropping the last reference to the lab
    and its hosts all remove everything.

    Parameters
    ----------
    queues
        Receive and transmit queues of each interface, 1 to 4096.
    mtu
        The largest packet, in bytes, 1280 to 65535. Above about 3,500 a program needs several
        buffers a packet.
    number
        0 to 511. Lab N has the addresses 198.18.N.1 and .2, 2001:db8::N:1 and :2. Labs may have
        the same number, unless something joins them.
    backend
        The backend that makes it: a name of `xdplab.backends.BACKENDS`. By default that of the
        environment variable XDPLAB_BACKEND, or else the first that can be used here; `backend` then
        has its name, and `note` says how to get a better one.

    Raises
    ------
    ConfigurationError
        For values out of range; nothing was touched.
    PermissionRefusedError
        When no backend can be used, or the one that was named lacks a privilege.
    KernelError
        When the kernel refuses for another reason. Nothing half-made is left.
    """

    def __init__(
        self, queues: int = 1, mtu: int = 1500, number: int = 0, *, backend: str | None = None
    ) -> None:
        self.queues = whole("queues", queues, 1, MOST_QUEUES)
        self.mtu = whole("mtu", mtu, SMALLEST_MTU, LARGEST_MTU)
        self.number = whole("number", number, 0, MOST_WIRES - 1)
        self._owner = os.getpid()
        plan = LabPlan(self.queues, self.mtu, self.number)
        self._backend, refusals, (self.port, self.peer) = make(
            candidates(backend), lambda each: each.make_lab(plan)
        )
        self.note = _note(self._backend, refusals)
        """Which backend made it, and how to get a better one; "" where there is none better."""
        if refusals and self.simulated:
            _tell_once(self.note)

    @property
    def backend(self) -> str:
        """The name of the backend that made it."""
        return self._backend.name

    @property
    def simulated(self) -> bool:
        """Whether a soft NIC simulates it, in place of the kernel."""
        return self._backend.simulated

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self.port.interface.namespace.closed

    def close(self) -> None:
        """Remove the wire and close both namespaces. A second call does nothing."""
        # A forked child holds copies of the descriptors, but the lab is not its to take down.
        if not self.closed and os.getpid() == self._owner:
            self._backend.remove_wires([(self.port, self.peer)])

    def _table(self) -> Table:
        if self.closed:
            return Table("<Lab closed>")
        rows = [
            (side, host.interface.name, host.ipv4, host.ipv6, host.interface.mac)
            for side, host in (("port", self.port), ("peer", self.peer))
        ]
        mark = " [simulated]" if self.simulated else ""
        title = f"Lab with {counted(self.queues, 'queue')}, mtu {self.mtu:,}{mark}"
        headings = ("side", "interface", "IPv4", "IPv6", "MAC")
        return Table(title, rows, headings, [self.note] if self.note else [])

    def _brief(self) -> str:
        if self.closed:
            return "<Lab closed>"
        queues = "1 queue" if self.queues == 1 else f"{self.queues} queues"
        ends = " <-> ".join(f"{h.interface.name} {h.ipv4} {h.ipv6}" for h in (self.port, self.peer))
        way = "" if self.backend == BEST else f", backend {self.backend!r}"
        mark = " [simulated]" if self.simulated else ""
        return f"<Lab {ends}, {queues}, mtu {self.mtu}{way}{mark}>"


def _note(backend: Backend, refusals: dict[str, str]) -> str:
    """Return the backend that made a lab, and why no better one did."""
    if backend.name == BEST:
        return ""
    if not refusals:
        better = f" Lab(backend={BEST!r}) is real." if backend.simulated else ""
        return f"This lab is {backend.made}, as was asked for.{better}"
    why = " ".join(f"{name!r} can't be used: {words}" for name, words in refusals.items())
    return f"This lab is {backend.made}. {why}"


_told: set[str] = set()


def _tell_once(note: str) -> None:
    """Warn of a backend that the user did not choose, the first time in this process."""
    if note not in _told:
        _told.add(note)
        warnings.warn(note, BackendWarning, stacklevel=4)
