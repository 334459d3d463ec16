"""The backend that needs neither privilege nor kernel: a thread does the kernel's part."""

from __future__ import annotations

import errno
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from xdplab.backends.backend import Backend, PortRequest
from xdplab.backends.lab_plan import PEER_SIDE, PORT_SIDE, LabPlan
from xdplab.backends.soft.host import SoftInterface, soft_host
from xdplab.backends.soft.wire import Wire
from xdplab.core.errors import ConfigurationError, KernelError
from xdplab.native import ffi, lib
from xdplab.native.paths import SOFT_PATH
from xdplab.net.namespace import on_a_thread
from xdplab.refusals.errors import error_at, new_error, raise_error
from xdplab.send.generator import Generator, NativeGenerator

if TYPE_CHECKING:
    from xdplab.backends.network_plan import NetworkPlan
    from xdplab.net.host import Host
    from xdplab.net.interface import Interface
    from xdplab.net.napi import Napi
    from xdplab.send.replaying import Replayed


class SoftBackend(Backend):
    """Simulates the wire, the NICs at its ends, and the kernel's part of their rings."""

    name = "soft"
    made = "simulated: a thread plays the kernel's side of the rings"
    simulated = True

    def refusal(self) -> str:
        """Return an empty string: it can be used everywhere."""
        return ""

    def make_lab(self, plan: LabPlan) -> tuple[Host, Host]:
        """Make the wire."""
        wire = Wire(plan)
        return soft_host(plan, PORT_SIDE, wire), soft_host(plan, PEER_SIDE, wire)

    def make_network(self, plan: NetworkPlan) -> NoReturn:
        """Refuse it: a host of a simulated wire has no stack that could forward.

        Raises
        ------
        ConfigurationError
            Always.
        """
        raise ConfigurationError(
            "a Network needs the kernel: backend='soft' simulates a wire between two hosts, "
            "Lab(backend='soft'). `xdplab doctor` tells how to get real packets."
        )

    def remove_wires(self, wires: Sequence[tuple[Host, Host]]) -> None:
        """Cut wires, and release them."""
        for port, _ in wires:
            port.interface.namespace.close()

    def engine_words(self, interfaces: Sequence[Interface]) -> dict[str, Any]:
        """Return the wires and the ends of them that an engine is at."""
        ends = [_soft(interface).namespace for interface in interfaces]
        return {
            "path": SOFT_PATH,
            "wires": [end.wire.pointer for end in ends],
            "ends": [end.end for end in ends],
        }

    def open_port(self, request: PortRequest) -> None:
        """Open simulated sockets at the interface's end of the wire."""
        error = new_error()
        place = request.number, request.interface.index
        if lib.xdplab_engine_open_port(request.engine, *place, ffi.NULL, error):
            raise_error(error)

    def open_generator(self, interface: Interface, traffic: Mapping[str, Any]) -> Generator:
        """Let the wire's thread send."""
        namespace, error = _soft(interface).namespace, new_error()
        other = None if namespace.generator is None else namespace.generator()
        if other is not None and not other.closed:
            raise error_at(lib.XDPLAB_STEP_GENERATE, errno.EBUSY, f"generate on {interface.name}")
        words = dict(traffic)
        replayed: Replayed | None = words.pop("replay", None)
        replay, held = replayed.native() if replayed else (ffi.NULL, None)
        generator = replayed.generator() if replayed else NativeGenerator()
        native = ffi.new("struct xdplab_traffic *", words)
        place, opener = (namespace.wire.pointer, namespace.end), lib.xdplab_wire_generator_open
        generator.open(on_a_thread, opener, *place, native, replay, error, kept=(held, namespace))
        namespace.generator = weakref.ref(generator)
        return generator

    def load_program(self, interface: Interface, data: bytes, name: str) -> NoReturn:
        """Raise: nothing here runs XDP programs."""
        raise ConfigurationError(
            f"{interface.name} is simulated, and runs no XDP program: take a lab of the kernel's, "
            "Lab(backend='kernel') or Lab(backend='broker')."
        )

    def napi_ids(self, interface: Interface) -> dict[int, int]:
        """Return none: a simulated interface has no NAPI."""
        return {}

    def read_napi(self, interface: Interface, queues: Sequence[int]) -> list[Napi]:
        """Return none: a simulated interface has no NAPI."""
        return []

    def set_napi(
        self, interface: Interface, number: int, settings: Mapping[str, int | str]
    ) -> NoReturn:
        """Raise: a simulated interface has no NAPI."""
        raise ConfigurationError(f"{interface.name} is simulated, and has no NAPI to be set.")

    def open_softirq(self) -> NoReturn:
        """Raise: a simulated NIC causes no softirqs."""
        raise KernelError(
            "measure the time in softirqs", errno.EOPNOTSUPP, "A simulated NIC causes none."
        )


def _soft(interface: Interface) -> SoftInterface:
    assert isinstance(interface, SoftInterface)
    return interface


SOFT = SoftBackend()
