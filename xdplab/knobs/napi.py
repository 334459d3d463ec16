"""NAPI settings of an engine's queues, as attributes: how packets leave the driver."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from xdplab import backends
from xdplab.core.closing import Uncopied
from xdplab.core.errors import ConfigurationError, KernelError, XdplabError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.locks import new_lock
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted, seconds
from xdplab.knobs.journal import Journal
from xdplab.knobs.row import Knob
from xdplab.knobs.table import NapiKnobs
from xdplab.net.interface import Interface
from xdplab.net.threaded import THREADED

if TYPE_CHECKING:
    from xdplab.net.napi import Napi


class NapiSettings(Tabled, NapiKnobs, FixedNames, Uncopied):
    """The settings of the NAPI instances that receive for some queues, all set alike.

    Each setting is an attribute. An assignment sets it on every instance, or on none; a read asks
    the kernel for that of the first instance, and is None where the kernel names no instance or
    lacks the setting. They need Linux 6.13, `threaded` 6.17, and its value ``"busy-poll"`` 6.19. On
    veth there is NAPI while an XDP program is attached natively, or GRO is on, as in a lab.

    The settings are the device's, not the engine's: they stay when the process is killed, except in
    a lab, which goes with it. `Engine.close` restores settings that were changed through
    `Engine.napi`.

    Parameters
    ----------
    interfaces
        The interfaces.
    queues
        Which of their receive queues.
    journal
        Where changes are noted.
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
        self._before: dict[tuple[Interface, int], dict[str, int | str]] = {}
        self._cores: dict[tuple[Interface, int], set[int]] = {}  # of threads that were switched off
        self._fix_names(NapiSettings)

    def _read(self, knob: Knob[Any]) -> int | str | None:
        first = self._first()
        return None if first is None else getattr(first, knob.name)

    def _turn(self, knob: Knob[Any], value: object) -> None:
        self._set(knob.name, knob.kind.check(knob.name, value, self))

    def read(self) -> tuple[Napi, ...]:
        """Read all settings of all instances.

        Returns
        -------
        tuple of Napi
            In the order of interfaces and queues, without those that the kernel does not name.

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
        """Restore the settings changed here, where the instances still exist."""
        with self._lock:
            for (interface, number), settings in self._before.items():
                with suppress(XdplabError):
                    self._tell(interface, number, settings)
            self._before.clear()

    def _brief(self) -> str:
        return f"<NapiSettings: {', '.join(map(str, self.read())) or 'no instance'}>"

    def _table(self) -> Table:
        return _table_of(self.read())

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

    def _set(self, name: str, value: int | str) -> None:
        with self._lock:
            instances = self._instances()
            self._check(name, instances)
            done: list[tuple[Interface, int, int | str]] = []
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
            self.latest = first._replace(**cast("dict[str, Any]", {name: value}))
            self.journal.note(name, getattr(first, name), value)

    def _tell(self, interface: Interface, number: int, settings: Mapping[str, int | str]) -> None:
        """Set one instance; a NAPI thread that is switched on again gets its old cores."""
        place, threaded = (interface, number), settings.get("threaded")
        if threaded is False and (thread := self._thread(place)) is not None:
            with suppress(OSError):
                self._cores[place] = os.sched_getaffinity(thread)
        backends.of(interface.namespace).set_napi(interface, number, settings)
        if threaded and place in self._cores and (thread := self._thread(place)) is not None:
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


def _table_of(instances: Sequence[Napi]) -> Table:
    rows = [
        (
            str(napi.id),
            _runs_in(napi),
            "-" if napi.defer_hard_irqs is None else f"{napi.defer_hard_irqs:,}",
            *(
                "-" if ns is None else seconds(ns / 1e9)
                for ns in (napi.gro_flush_timeout, napi.irq_suspend_timeout)
            ),
        )
        for napi in instances
    ]
    if not rows:
        return Table("The kernel names no NAPI instance of these queues.")
    headings = ("id", "runs in", "defer_hard_irqs", "gro_flush_timeout", "irq_suspend_timeout")
    return Table(counted(len(rows), "NAPI instance"), rows, headings)


def _runs_in(napi: Napi) -> str:
    if napi.threaded is None:
        return "-"
    ways = ("softirq", f"thread {napi.thread}", f"thread {napi.thread}, busy-polling")
    return ways[THREADED.index(napi.threaded)]
