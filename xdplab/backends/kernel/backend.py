"""The backend for users with privilege: this process asks the kernel itself."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from xdplab.backends.backend import Backend, PortRequest, take_xskmap, xskmap_entries
from xdplab.backends.kernel.lab import make_lab, make_network
from xdplab.backends.kernel.wire import remove_wires
from xdplab.backends.softirq import SoftirqClock
from xdplab.core.errors import XdplabError
from xdplab.core.more_power import MORE_POWER
from xdplab.native import ffi, lib
from xdplab.native.objects import c_path
from xdplab.net.holders import attached, socket_holders
from xdplab.net.namespace import Namespace
from xdplab.refusals.errors import new_error, raise_error
from xdplab.refusals.remedies import Place
from xdplab.send.generator import Generator, NativeGenerator

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from xdplab.backends.backend import LoadedProgram, SoftirqReader
    from xdplab.backends.lab_plan import LabPlan
    from xdplab.backends.network_plan import NetworkPlan
    from xdplab.net.host import Host
    from xdplab.net.interface import Interface
    from xdplab.net.napi import Napi

# linux/capability.h; loading programs is a part of CAP_SYS_ADMIN.
_NEEDED = {12: "CAP_NET_ADMIN", 13: "CAP_NET_RAW", 21: "CAP_SYS_ADMIN"}
_WHOLE_USER_NAMESPACE = "0 0 4294967295"  # the initial one's map, user_namespaces(7)


_BUSY = (lib.XDPLAB_STEP_BIND, errno.EBUSY)
_MOST_BINDS = 3
"""Times that a queue is waited for which nobody holds: ten seconds each (native/xsk/xsk.c). With
many namespaces that come and go, the kernel was seen to take longer to free one."""


class KernelBackend(Backend):
    """Does everything in this process."""

    name = "kernel"
    made = "real"

    def refusal(self) -> str:
        """Return which capabilities are lacking."""
        status = Path("/proc/thread-self/status").read_text()
        held = int(status.split("CapEff:")[1].split()[0], 16)
        lacking = [name for bit, name in _NEEDED.items() if not held >> bit & 1]
        remedy = f"{MORE_POWER[0].upper()}{MORE_POWER[1:]}."
        if lacking:
            return f"this process lacks {', '.join(lacking)}. {remedy}"
        # Root in a user namespace has capabilities that don't suffice to load programs.
        if " ".join(Path("/proc/self/uid_map").read_text().split()) != _WHOLE_USER_NAMESPACE:
            return f"this process has its capabilities in a user namespace only. {remedy}"
        return ""

    def make_lab(self, plan: LabPlan) -> tuple[Host, Host]:
        """Make two network namespaces, and a veth pair between them."""
        return make_lab(plan, Namespace.create)

    def make_network(self, plan: NetworkPlan) -> list[tuple[Host, Host]]:
        """Make network namespaces, and veth pairs between them."""
        return make_network(plan, Namespace.create)

    def remove_wires(self, wires: Sequence[tuple[Host, Host]]) -> None:
        """Remove wires, and close the namespaces at their ends."""
        remove_wires(wires)

    def open_port(self, request: PortRequest) -> None:
        """Open the sockets in the interface's namespace, and attach the program."""
        error, calling, is_given_up = new_error(), Lock(), Event()

        # The closure keeps the request, and so the engine, alive if an interrupt ends the wait.
        def call() -> int:
            with calling:
                if is_given_up.is_set():
                    return 0
                place = request.number, request.interface.index
                return int(lib.xdplab_engine_open_port(request.engine, *place, ffi.NULL, error))

        for patience in reversed(range(_MOST_BINDS)):
            try:
                code = request.interface.namespace.run(call)
            except BaseException:
                # An interrupt ends only the wait; no other call may use the engine before this one
                # ends.
                is_given_up.set()
                with calling:
                    raise
            is_busy = code and (error.step, error.code) == _BUSY
            if not (is_busy and patience and _nobody_is_bound(request.interface)):
                break
        if code < 0:
            raise_error(error, request.place)
        if code:
            take_xskmap(request)

    def open_generator(self, interface: Interface, traffic: Mapping[str, Any]) -> Generator:
        """Load the generator's program in the sender's namespace; a replay needs none."""
        if "replay" in traffic:
            return self._open_replay(interface, traffic)
        program, error = c_path("generate"), new_error()
        native = ffi.new("struct xdplab_traffic *", {"program": program, **traffic})
        generator = NativeGenerator()
        place = Place(interface)
        run, opener = interface.namespace.run, lib.xdplab_generator_open
        generator.open(run, opener, native, error, kept=program, place=place)
        return generator

    def _open_replay(self, interface: Interface, traffic: Mapping[str, Any]) -> Generator:
        from xdplab.backends.kernel.replay import open_replay  # noqa: PLC0415 - most do without

        return open_replay(
            interface, traffic, lambda binding: interface.namespace.run(binding.bind), shared=False
        )

    def load_program(self, interface: Interface, data: bytes, name: str) -> LoadedProgram:
        """Load it in this process."""
        from xdplab.backends.kernel.program import KernelProgram  # noqa: PLC0415 - most do without

        return KernelProgram(data, name, xskmap_entries(interface))

    def napi_ids(self, interface: Interface) -> dict[int, int]:
        """Ask in the interface's namespace."""
        from xdplab.net.napi import napi_ids  # noqa: PLC0415 - pyroute2 is slow to import

        return interface.namespace.run(napi_ids, interface.index, interface.now().queues)

    def read_napi(self, interface: Interface, queues: Sequence[int]) -> list[Napi]:
        """Ask in the interface's namespace."""
        from xdplab.net.napi import read_queues  # noqa: PLC0415 - as above

        return interface.namespace.run(
            read_queues, interface.index, interface.now().queues, tuple(queues)
        )

    def set_napi(
        self, interface: Interface, number: int, settings: Mapping[str, int | str]
    ) -> None:
        """Set it in the interface's namespace."""
        from xdplab.net.napi import set_napi  # noqa: PLC0415 - as above

        interface.namespace.run(set_napi, number, settings)

    def open_softirq(self) -> AbstractContextManager[SoftirqReader]:
        """Attach to the kernel's tracepoints."""
        return SoftirqClock()


def _nobody_is_bound(interface: Interface) -> bool:
    """Tell whether no other process can hold a queue: then the kernel has yet to free it."""
    try:
        others = [each for each in socket_holders(interface.namespace) if not each.is_ours]
        return not others and attached(interface) is None
    except (XdplabError, OSError):
        return False


KERNEL = KernelBackend()
