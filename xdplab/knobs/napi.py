"""How an engine's packets leave the driver: the NAPI settings of its queues, as attributes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from xdplab import backends
from xdplab.core.checks import boolean, whole
from xdplab.core.closing import Uncopied
from xdplab.core.errors import ConfigurationError, KernelError, XdplabError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.locks import new_lock
from xdplab.knobs.journal import Journal
from xdplab.net.interface import Interface

if TYPE_CHECKING:
    from xdplab.net.napi import Napi

LONGEST_TIMEOUT = 10**9
"""ns. The kernel takes any; a queue that nobody looks at for longer is as good as dead."""
MOST_DEFERRALS = (1 << 31) - 1  # the kernel's own limit


class NapiSettings(FixedNames, Uncopied):
    """The settings of the NAPI instances that receive for some queues, all set alike.

    Each is an attribute. Setting it sets it on every instance, or on none; reading it asks the
    kernel, and gives that of the first, or None where the kernel names no instance or knows no such
    setting. It takes Linux 6.13, and `threaded` 6.17. On veth there is NAPI while an XDP program is
    attached natively, or GRO is on, as in a lab.

    The settings are the device's, not the engine's: they stay when the process is killed, except in
    a lab, which goes with it. `Engine.close` puts back what was changed through `Engine.napi`.

    Parameters
    ----------
    interfaces
        The interfaces.
    queues
        Which of their receive queues.
    journal
        Where changes are noted, as ``"napi.threaded"`` and so on.
    """

    queues: tuple[int, ...] = ()
    latest: Napi | None = None
    """The first instance as last read or set here, without asking the kernel again."""

    def __init__(
        self,
        interfaces: Sequence[Interface],
        queues: Sequence[int],
        journal: Journal | None = None,
    ) -> None:
        self.interfaces, self.queues = tuple(interfaces), tuple(queues)
        self.journal = Journal() if journal is None else journal
        self._lock = new_lock()
        self._before: dict[tuple[Interface, int], dict[str, int]] = {}
        self._cores: dict[tuple[Interface, int], set[int]] = {}  # of threads that were switched off
        self._fix_names(NapiSettings)

    @property
    def threaded(self) -> bool | None:
        """Whether a kernel thread of its own runs NAPI, which the scheduler places, not a softirq.

        On the core of a worker that spins, such a thread hardly ever runs. One that is switched off
        and on again here is another thread, and goes to the cores that the first was bound to.
        """
        first = self._first()
        return None if first is None else first.threaded

    @threaded.setter
    def threaded(self, value: bool) -> None:
        self._set("threaded", boolean("threaded", value))

    @property
    def defer_hard_irqs(self) -> int | None:
        """How many polls in a row may find the queue empty before interrupts come on again.

        Meanwhile a timer polls, after `gro_flush_timeout`; without that it has no effect. 0 to
        2,147,483,647. On veth the sender's wake-up is what is held off.
        """
        first = self._first()
        return None if first is None else first.defer_hard_irqs

    @defer_hard_irqs.setter
    def defer_hard_irqs(self, value: int) -> None:
        self._set("defer_hard_irqs", whole("defer_hard_irqs", value, 0, MOST_DEFERRALS))

    @property
    def gro_flush_timeout(self) -> int | None:
        """Nanoseconds to the poll that the timer makes, 0 to 1,000,000,000.

        With `defer_hard_irqs`, packets arrive in batches so far apart: fewer wake-ups, for so much
        latency. Alone, it is how long GRO may hold packets back to join them.
        """
        first = self._first()
        return None if first is None else first.gro_flush_timeout

    @gro_flush_timeout.setter
    def gro_flush_timeout(self, value: int) -> None:
        self._set("gro_flush_timeout", whole("gro_flush_timeout", value, 0, LONGEST_TIMEOUT))

    @property
    def irq_suspend_timeout(self) -> int | None:
        """Nanoseconds for which interrupts stay off while a program busy-polls, 0 to 1,000,000,000.

        Only a program that busy-polls through epoll (EPIOCSPARAMS) makes use of it; none of the
        wait strategies does.
        """
        first = self._first()
        return None if first is None else first.irq_suspend_timeout

    @irq_suspend_timeout.setter
    def irq_suspend_timeout(self, value: int) -> None:
        self._set("irq_suspend_timeout", whole("irq_suspend_timeout", value, 0, LONGEST_TIMEOUT))

    def read(self) -> tuple[Napi, ...]:
        """Read all settings of all instances.

        Returns
        -------
        tuple of Napi
            In the order of interfaces and queues; those that the kernel does not name are left out.

        Raises
        ------
        KernelError
            When the kernel refuses.
        ClosedError
            When the lab was closed.
        """
        with self._lock:
            return tuple(napi for _interface, napi in self._instances())

    def restore(self) -> None:
        """Put back what was changed here, where the instances still exist."""
        with self._lock:
            for (interface, number), settings in self._before.items():
                with suppress(XdplabError):
                    self._tell(interface, number, settings)
            self._before.clear()

    def __repr__(self) -> str:
        return f"<NapiSettings: {', '.join(map(str, self.read())) or 'no instance'}>"

    def _first(self) -> Napi | None:
        return next(iter(self.read()), None)

    def _instances(self) -> list[tuple[Interface, Napi]]:
        found = [
            (interface, napi)
            for interface in self.interfaces
            for napi in backends.of(interface.namespace).read_napi(interface, self.queues)
        ]
        self.latest = found[0][1] if found else None
        return found

    def _set(self, name: str, value: int) -> None:
        with self._lock:
            instances = self._instances()
            self._check(name, instances)
            done: list[tuple[Interface, int, int]] = []
            try:
                for interface, napi in instances:
                    self._tell(interface, napi.id, {name: value})
                    done.append((interface, napi.id, getattr(napi, name)))
            except KernelError:
                for interface, number, before in done:
                    self._tell(interface, number, {name: before})
                raise
            for interface, number, before in done:
                self._before.setdefault((interface, number), {}).setdefault(name, before)
            first = instances[0][1]
            kind = type(getattr(first, name))
            self.latest = first._replace(**{name: kind(value)})
            self.journal.note(f"napi.{name}", getattr(first, name), kind(value))

    def _tell(self, interface: Interface, number: int, settings: Mapping[str, int]) -> None:
        """Set one instance; a thread that comes back, comes back to its cores."""
        place, threaded = (interface, number), settings.get("threaded")
        if threaded == 0 and (thread := self._thread(place)) is not None:
            with suppress(OSError):
                self._cores[place] = os.sched_getaffinity(thread)
        backends.of(interface.namespace).set_napi(interface, number, settings)
        if threaded == 1 and place in self._cores and (thread := self._thread(place)) is not None:
            with suppress(OSError):  # as where those cores are not there any more
                os.sched_setaffinity(thread, self._cores[place])

    def _thread(self, place: tuple[Interface, int]) -> int | None:
        instances = self._instances()
        return next((n.thread for i, n in instances if (i, n.id) == place), None)

    def _check(self, name: str, instances: list[tuple[Interface, Napi]]) -> None:
        where = " and ".join(interface.name for interface in self.interfaces)
        if self.interfaces[0].namespace.simulated:
            raise ConfigurationError(
                f"{name} can't be set: {where} is simulated, and has no NAPI. That is a real "
                "lab's: Lab(backend='kernel')."
            )
        if not instances:
            for interface in self.interfaces:
                if trouble := interface.look().state.trouble():
                    raise ConfigurationError(
                        f"{name} can't be set: {trouble} {where} has no NAPI before."
                    )
            raise ConfigurationError(
                f"{name} can't be set: the kernel names no NAPI instance of {where}. It takes "
                "Linux 6.13, and on veth an XDP program that is attached natively, or GRO."
            )
        if any(getattr(napi, name) is None for _interface, napi in instances):
            raise ConfigurationError(
                f"{name} can't be set: this kernel has no such setting for the NAPI of {where}. "
                "It takes Linux 6.13, and 6.17 for threaded."
            )
