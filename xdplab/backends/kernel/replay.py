"""A capture file sent by an AF_XDP socket, which is bound as the backend can."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from xdplab.core.errors import QueueBusyError, XdplabError
from xdplab.native import ffi, lib
from xdplab.net.holders import socket_holders
from xdplab.net.namespace import on_a_thread
from xdplab.refusals.errors import new_error, raise_error
from xdplab.refusals.remedies import Place

if TYPE_CHECKING:
    from xdplab.net.interface import Interface
    from xdplab.send.generator import Generator, NativeGenerator
    from xdplab.send.replaying import Replayed

_MOST_BINDS = 10
"""Times that a queue is waited for which nobody holds: a second each (native/xsk/xsk.c)."""


class Binding(NamedTuple):
    """A replaying generator that is to be bound to a queue of its sender's."""

    generator: NativeGenerator
    interface: Interface
    queue: int

    def bind(self, socket: int = -1, *, registered: bool = False) -> None:
        """Bind it, by a socket that was given for it where there is one.

        Raises
        ------
        KernelError
            When the kernel refuses.
        """
        error = new_error()
        if self.generator.bind(self.queue, socket, registered, error):
            raise_error(error, Place(self.interface))


def open_replay(
    interface: Interface,
    traffic: Mapping[str, Any],
    bind: Callable[[Binding], None],
    *,
    shared: bool,
) -> Generator:
    """Open a generator for the ``replay`` of a traffic, on queue (core modulo queues).

    Parameters
    ----------
    interface
        The sender's.
    traffic
        As of `Backend.open_generator`.
    bind
        Binds it.
    shared
        Whether another process registers its UMEM.
    """
    words, error = dict(traffic), new_error()
    replayed: Replayed = words.pop("replay")
    (replay, held), generator = replayed.native(), replayed.generator()
    native = ffi.new("struct xdplab_traffic *", words)
    opener = lib.xdplab_replay_open
    generator.open(on_a_thread, opener, native, replay, shared, error, kept=(held, native))
    binding = Binding(generator, interface, words["cpu"] % interface.now().queues)
    try:
        _bind_patiently(binding, bind)
    except BaseException:
        generator.close()
        raise
    return generator


def _bind_patiently(binding: Binding, bind: Callable[[Binding], None]) -> None:
    """Bind it; the kernel frees a queue late after its last socket was closed."""
    for patience in reversed(range(_MOST_BINDS)):
        try:
            bind(binding)
        except QueueBusyError as error:
            if error.errno == errno.EBUSY and patience and _nobody_holds(binding.interface):
                continue
            words = f"{_which_queue(binding)} {error.remedy}"
            raise QueueBusyError(error.tried, error.errno or 0, words) from error
        else:
            return


def _which_queue(binding: Binding) -> str:
    """Say which queue a replay takes, and which core would bring it to another one."""
    name, queues = binding.interface.name, binding.interface.now().queues
    others = [core for core in os.sched_getaffinity(0) if core % queues != binding.queue]
    other = f" Traffic(cpu={others[0]}) takes queue {others[0] % queues}." if others else ""
    return (
        f"A replay sends by a socket of its own on queue (core modulo queues) of {name}, and "
        f"queue {binding.queue} has another one.{other}"
    )


def _nobody_holds(interface: Interface) -> bool:
    try:
        return not socket_holders(interface.namespace)
    except (XdplabError, OSError):
        return False
