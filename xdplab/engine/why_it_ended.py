"""Why an engine receives nothing any more: its workers ended, or its XDP program was taken off.

A worker notices by itself, at its next record, that its socket is off the interface. To look
whether the program is still attached takes the kernel's lock on all interfaces, and a worker that
waits for it would lose packets: so only a caller that reads the engine's state looks.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xdplab.core.checks import whole
from xdplab.core.errors import ClosedError, InterfaceGoneError, KernelError, XdplabError
from xdplab.engine.native_engine import Hold, NativeEngine
from xdplab.engine.wait_knob import Waiting
from xdplab.native import lib
from xdplab.native.paths import Kind
from xdplab.net.interface import Interface
from xdplab.net.link_state import LinkState
from xdplab.net.shell_commands import find_interface
from xdplab.refusals.errors import error_at
from xdplab.telemetry.region import Telemetry

if TYPE_CHECKING:
    from xdplab.engine.own_program import OwnProgram

_GONE = (errno.ENETDOWN, errno.ENODEV, errno.ENXIO)
_BYPASSED = (errno.ENOLINK, errno.ENOENT)  # of what `_losses` finds


class Ending:
    """Whether an engine was closed: for those who outlive it."""

    closed = False
    """Whether `Engine.close` was called."""


class Endings(Waiting):
    """Part of `Engine`: the present state of its interfaces, and the reason for which it ended."""

    _native: NativeEngine
    telemetry: Telemetry
    _times_bypassed = 0

    @property
    def times_bypassed(self) -> int:
        """How often packets went past it since its XDP program was off, until it was on again."""
        own = self._native.own_program
        return self._times_bypassed + (0 if own is None else own.times_attached_anew)

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """Its interfaces, by their present names; it captures on the first."""
        found = []
        for port, held in enumerate(self.configuration.interfaces):
            try:
                found.append(held.now())
            except XdplabError:  # gone, or its lab was closed: as it was last seen
                found.append(replace(held, name=self.name_of(port)))
        return tuple(found)

    def name_of(self, port: int) -> str:
        """Return an interface's present name; its last one, if it is gone."""
        names = vars(self).setdefault("_names", {})
        port = self._checked(port)
        held = self.configuration.interfaces[port]
        hold = self._hold(port)
        if hold is None or not hold.taken_off:  # else its index may be another's
            with suppress(XdplabError):
                names[port] = held.current_name()
        return str(names.get(port, held.name))

    @property
    def interface(self) -> Interface:
        """The interface that it captures on, the first where it joins two."""
        return self.interfaces[0]

    def broken_links(self) -> list[LinkState]:
        """Collect the states of its interfaces that no frame can pass now."""
        states = []
        for port, held in enumerate(self.configuration.interfaces):
            with suppress(XdplabError):  # gone, which is an error of the engine's
                states.append(replace(held.look().state, label=self.end(port)))
        return [state for state in states if not state.passes]

    @property
    def has_ended(self) -> bool:
        """Whether a worker ended by itself."""
        return bool(self._failed())

    @property
    def running(self) -> bool:
        """Whether it was started, and a worker goes on that still has its XDP program."""
        started = self._native.started and not self._native.closed
        return started and len(self._ended()) < self.telemetry.workers

    @property
    def state(self) -> str:
        """What it does, in a word, or in three.

        ``"running"``, ``"running in part"`` (of its workers), ``"stopped"``, ``"closed"``,
        ``"ended"`` if its workers ended by themselves, or ``"bypassed"`` if packets go past it
        because of what others did to its XDP program. `error` has the reason and the remedy.
        """
        if self._native.closed:
            return "closed"
        error = self.error
        if self.running:
            return "running" if error is None else "running in part"
        if error is None:
            return "stopped"
        return "bypassed" if error.errno in _BYPASSED and not self._failed() else "ended"

    @property
    def error(self) -> KernelError | None:
        """The error for which a worker ended by itself, or receives nothing any more; or None.

        With several, the error of the first that ended; the others go on. If someone else detached
        the program, the workers don't end: `reconfigure` attaches it again.
        """
        failed = self._failed()
        if failed:
            worker = min(failed, key=lambda number: failed[number]["time_ns"])
            return self._fault(worker, int(failed[worker]["fault"]))
        return next((error for _workers, error in self._losses()), None)

    def _ended(self) -> set[int]:
        """Collect the workers that receive nothing any more."""
        ended = set(self._failed())
        for workers, _error in self._losses():
            ended |= workers
        return ended

    def _refuse_once_ended(self) -> None:
        """Raise the reason why all workers ended, if they did: none reads a knob any more."""
        failed = self._failed()
        # Its interface may be gone, and no worker have noticed yet.
        has_ended = len(failed) == self.telemetry.workers if failed else self.state == "ended"
        if has_ended and (fault := self.error):
            raise fault

    def _failed(self) -> dict[int, Any]:
        """Collect the last records of the workers that ended by themselves."""
        workers = range(self.telemetry.workers)
        records = {worker: self.telemetry.counters(worker) for worker in workers}
        return {n: last for n, last in records.items() if last["state"] == lib.XDPLAB_STATE_FAILED}

    def _fault(self, worker: int, code: int) -> KernelError:
        port, place = divmod(worker, len(self.configuration.worker_queues))
        tried = self._tried(port, self.configuration.worker_queues[place])
        if code in _GONE:
            # The interface that it sends on may be gone, not the one it receives on.
            for each in (port, 1 - port)[: len(self.configuration.interfaces)]:
                if words := self._departure(each):
                    return InterfaceGoneError(tried, code, words)
        return error_at(lib.XDPLAB_STEP_NONE, code, tried)

    def is_gone(self, port: int) -> bool:
        """Tell whether an interface left its namespace under the workers that received from it."""
        port = self._checked(port)
        hold, failed = self._hold(port), self._failed()
        own = self._native.own_program
        if own is None and (hold is None or not hold.taken_off):
            return False
        count = len(self.configuration.worker_queues)
        codes = {int(failed[worker]["fault"]) for worker in failed if worker // count == port}
        # ENXIO alone says nothing: a send gives it, and may be on the other interface.
        return bool(codes & {errno.ENETDOWN, errno.ENODEV}) or not self._is_there(port)

    def _departure(self, port: int) -> str:
        """Say where an interface went, if it is no longer where it was."""
        hold, own = self._hold(port), self._native.own_program
        index = own.index if own is not None else hold.interface_index if hold else 0
        if not index or not self.is_gone(port):
            return ""
        name, mac = self.end(port), self.configuration.interfaces[port].mac
        where = find_interface(index, mac)
        now = f" It is there now: `{where}`." if where else ""
        program = (
            "The engine's XDP program was taken off, so its packets go to the stack."
            if own is None
            else "Your program is on it still: program.close() takes it off."
        )
        return (
            f"{name} was moved out of its network namespace.{now} {program} Make a new engine "
            "where it is, or move it back and make a new one."
        )

    def _losses(self) -> Iterator[tuple[set[int], KernelError]]:
        """Find workers that get no packets because of what others did, each with the error."""
        queues = self.configuration.worker_queues
        own = self._native.own_program
        if own is not None and not self._native.closed:
            if own.link is None:
                yield set(range(len(queues))), self._not_attached(queues[0], own)
            elif (queue := self._native.unserved(0)) in queues:
                yield {queues.index(queue)}, self._unserved(0, queue)
        for port in range(len(self.configuration.interfaces)):
            hold = self._hold(port)
            if hold is None or hold.taken_off:
                continue
            workers = set(range(port * len(queues), (port + 1) * len(queues)))
            if not self._native.started and hold.interface_index and not self._is_there(port):
                # No worker runs that would notice.
                remedy = (
                    f"{self.end(port)} was moved out of its network namespace, and the engine's "
                    "XDP program with it: engine.close() takes that off."
                )
                yield (
                    workers,
                    InterfaceGoneError(self._tried(port, queues[0]), errno.ENODEV, remedy),
                )
            elif not hold.interface_index:
                yield workers, self._detached(port, queues[0])
            elif hold.program != hold.loaded:
                yield workers, self._replaced(port, queues[0], hold.program)
            elif hold.unserved in queues:
                worker = port * len(queues) + queues.index(hold.unserved)
                yield {worker}, self._unserved(port, hold.unserved)

    def _not_attached(self, queue: int, own: OwnProgram) -> KernelError:
        anew = "program.attach() attaches it anew, as engine.reconfigure() does."
        if own.program.closed:
            why, anew = "it was closed", f"Load it again, Program(source, port). {self.remedy}"
        elif own.links:
            why = "someone took it off (`bpftool link detach`), or put another in its place"
        else:
            why = "its link was closed"
        remedy = f"Your program is not on {self.end(0)} any more: {why}. {anew}"
        return KernelError(self._tried(0, queue), errno.ENOLINK, remedy)

    def _detached(self, port: int, queue: int) -> KernelError:
        tried, name = self._tried(port, queue), self.end(port)
        if not self._is_there(port):  # a worker will say so at its next record
            return error_at(lib.XDPLAB_STEP_NONE, errno.ENETDOWN, tried)
        remedy = f"Someone took the engine's XDP program off {name} (`bpftool link detach`)."
        number = self.configuration.interfaces[port].attached_program()
        if number:
            remedy += (
                f" XDP program {number} is attached there now: `bpftool prog show id {number}` "
                "says whose it is. Once it is off,"
            )
        return KernelError(tried, errno.ENOLINK, f"{remedy} {self.remedy}")

    def _replaced(self, port: int, queue: int, number: int) -> KernelError:
        remedy = (
            f"Someone put XDP program {number} in place of the engine's on {self.end(port)} "
            f"(`bpftool prog show id {number}` says which). {self.remedy}"
        )
        return KernelError(self._tried(port, queue), errno.ENOLINK, remedy)

    def _unserved(self, port: int, queue: int) -> KernelError:
        remedy = (
            f"Someone removed the socket of queue {queue} from the XDP program's map (`bpftool map "
            f"delete`), so the queue's packets go to the stack. {self.remedy}"
        )
        return KernelError(self._tried(port, queue), errno.ENOENT, remedy)

    @property
    def remedy(self) -> str:
        """What makes packets reach a bypassed engine again."""
        own = self._native.own_program
        if own is not None and not own.program.closed:
            return "engine.reconfigure() attaches your program again, with the engine's sockets."
        if own is None and self.configuration.kind == Kind.XSK:
            return "engine.reconfigure() attaches the engine's program again."
        return "Make a new engine: engine.close() first."

    def _tried(self, port: int, queue: int) -> str:
        where = f"{self.end(port)} queue {queue}"
        if len(self.configuration.interfaces) > 1:
            return f"go on forwarding from {where} to {self.end(1 - port)}"
        return f"go on capturing on {where}"

    def _is_there(self, port: int) -> bool:
        """Tell whether an interface is where it was when the engine was opened."""
        try:
            self.configuration.interfaces[port].now()
        except (InterfaceGoneError, ClosedError):
            return False
        except XdplabError:  # for want of a descriptor or a thread it can't be looked for
            return True
        return True

    def _checked(self, port: object) -> int:
        return whole("port", port, 0, len(self.configuration.interfaces) - 1)

    def _hold(self, port: int) -> Hold | None:
        return self._native.hold(port)

    def end(self, port: int) -> str:
        """Name an interface; with its address where there are two, as those of labs are alike."""
        port = self._checked(port)
        held = self.configuration.interfaces[port]
        if len(self.configuration.interfaces) == 1 or not held.ipv4:
            return self.name_of(port)
        return f"{self.name_of(port)} ({held.ipv4})"
