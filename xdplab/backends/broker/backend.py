"""The backend for users without privilege: a lab process of their own, and a broker.

```
    this process    engine, rings, UMEM            maps, links and sockets by descriptor
    lab process     root over the lab's own network namespaces: links, addresses, sockets, ping
    broker          programs, generators, NAPI settings, pinned memory: one session each
```

The owner of a network namespace may open AF_XDP sockets in it; the broker does only what needs
privilege on the whole machine. This process holds the objects that the broker makes, and they end
with it.
"""

from __future__ import annotations

import os
import socket
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, WeakValueDictionary, finalize

from xdplab.backends.backend import PortRequest, take_xskmap, xskmap_entries
from xdplab.backends.broker.refusals import told_here
from xdplab.backends.kernel.backend import KernelBackend
from xdplab.backends.kernel.lab import make_lab, make_network
from xdplab.backends.kernel.wire import remove_wires
from xdplab.core.errors import ClosedError, KernelError, PermissionRefusedError
from xdplab.core.locks import new_lock
from xdplab.native import ffi, lib
from xdplab.native.paths import Kind
from xdplab.refusals.errors import new_error, raise_error

if TYPE_CHECKING:
    from xdplab.backends.backend import LoadedProgram
    from xdplab.backends.kernel.replay import Binding
    from xdplab.backends.lab_plan import LabPlan
    from xdplab.backends.lab_process.client import LabProcess
    from xdplab.backends.network_plan import NetworkPlan
    from xdplab.backends.softirq import SoftirqMap
    from xdplab.broker.client import Connection
    from xdplab.net.host import Host
    from xdplab.net.interface import Interface
    from xdplab.net.namespace import Namespace
    from xdplab.send.generator import Generator

_SOCKETS = {
    Kind.XSK: (44, socket.SOCK_RAW),  # AF_XDP, linux/socket.h, which Python lacks
    Kind.PACKET: (socket.AF_PACKET, socket.SOCK_RAW),
    Kind.UDP: (socket.AF_INET, socket.SOCK_DGRAM),
    Kind.PROGRAM: (socket.AF_INET, socket.SOCK_DGRAM),
}


class BrokerBackend(KernelBackend):
    """Works in the lab process, as root in its namespaces, and asks the broker for the rest."""

    name = "broker"
    shares_umem = True

    def __init__(self) -> None:
        self._lock = new_lock()
        self._processes: dict[int, LabProcess] = {}
        # By process and namespace: while there is one, the kernel gives its number to no other.
        self._of_programs: WeakValueDictionary[tuple[int, tuple[int, int]], Connection]
        self._of_programs = WeakValueDictionary()

    def refusal(self) -> str:
        """Return why the broker can't be reached."""
        try:
            self._reach()
        except KernelError as error:
            return str(error)
        return ""

    def _reach(self) -> None:
        from xdplab.broker.client import probe  # noqa: PLC0415 - what others do without

        try:
            probe()
        except KernelError as error:
            raise PermissionRefusedError(error.tried, error.errno or 0, error.remedy) from error

    def make_lab(self, plan: LabPlan) -> tuple[Host, Host]:
        """Make two network namespaces in the lab process, and a veth pair between them."""
        return make_lab(plan, self.create_namespace)

    def create_namespace(self) -> Namespace:
        """Make a network namespace in the lab process."""
        self._reach()
        return self._lab_process().create_namespace()

    def make_network(self, plan: NetworkPlan) -> list[tuple[Host, Host]]:
        """Make network namespaces in the lab process, and veth pairs between them."""
        return make_network(plan, self.create_namespace)

    def remove_wires(self, wires: Sequence[tuple[Host, Host]]) -> None:
        """Remove wires, and close the namespaces at their ends."""
        with suppress(ClosedError):  # the lab process has ended, and with it the wires
            remove_wires(wires)
        for ends in wires:
            for host in ends:
                host.interface.namespace.close()

    def open_port(self, request: PortRequest) -> None:
        """Open the sockets in the lab process; the broker attaches the program."""
        with ExitStack() as stack:
            session = stack.enter_context(_session(request.interface.namespace))
            sockets = _open_sockets(request)
            for each in sockets:
                stack.enter_context(each)
            registered = _prepare_sockets(session, request, sockets)
            descriptors = ffi.new("int32_t[]", [each.fileno() for each in sockets])
            given = ffi.new(
                "struct xdplab_given *", {"sockets": descriptors, "umem_registered": registered}
            )
            port, error = (request.number, request.interface.index), new_error()
            opened = lib.xdplab_engine_open_port(request.engine, *port, given, error)
            if opened < 0:
                raise_error(error, request.place)
            if not opened:  # the program that it has can stay
                return
            if request.xskmap is not None:
                take_xskmap(request)
                return
            with told_here(request.place):
                link, verdicts, *rest = _attach(session, request)
            for descriptor in (link, verdicts, *rest):
                stack.callback(os.close, descriptor)
            attachment = {"link": link, "verdicts": verdicts, "sockets": rest[0] if rest else -1}
            held = ffi.new("struct xdplab_attachment *", attachment)
            if lib.xdplab_engine_attach_port(request.engine, *port, held, error):
                raise_error(error)

    def open_generator(self, interface: Interface, traffic: Mapping[str, Any]) -> Generator:
        """Run it in a session of the broker; a replay in this process."""
        if "replay" in traffic:
            return self._open_replay(interface, traffic)
        from xdplab.send.remote import BrokerGenerator  # noqa: PLC0415 - as above

        return BrokerGenerator(_session(interface.namespace), traffic)

    def _open_replay(self, interface: Interface, traffic: Mapping[str, Any]) -> Generator:
        from xdplab.backends.kernel.replay import open_replay  # noqa: PLC0415 - as above

        return open_replay(interface, traffic, _bind_replay, shared=True)

    def load_program(self, interface: Interface, data: bytes, name: str) -> LoadedProgram:
        """Let a session of the broker load it."""
        from xdplab.backends.broker.program import BrokerProgram  # noqa: PLC0415 - as above

        session = self._session_of_programs(interface.namespace)
        return BrokerProgram(session, data, name, xskmap_entries(interface))

    def _session_of_programs(self, namespace: Namespace) -> Connection:
        """Return the session that all programs of a namespace share; it ends with the last."""
        with self._lock:
            key = os.getpid(), namespace.identity
            session = self._of_programs.get(key)
            if session is None or session.closed:
                session = self._of_programs[key] = _session(namespace)
                finalize(session, session.socket.close)
            return session

    def set_napi(
        self, interface: Interface, number: int, settings: Mapping[str, int | str]
    ) -> None:
        """Let the broker set it."""
        with _session(interface.namespace) as session:
            session.request("set_napi", {"number": number, "settings": dict(settings)})

    def open_softirq(self) -> SoftirqMap:
        """Let the broker load the program, and read its map."""
        from xdplab.backends.softirq import SoftirqMap  # noqa: PLC0415 - as above
        from xdplab.broker import protocol  # noqa: PLC0415 - as above
        from xdplab.broker.client import connect  # noqa: PLC0415 - as above

        return SoftirqMap(not_a_childs(connect(protocol.SOFTIRQ)))

    def _lab_process(self) -> LabProcess:
        """Return this process' lab process; all labs share it, so that they can be joined.

        It costs a fifth of a second to start, and stays until this process ends.
        """
        with self._lock:
            process = self._processes.get(os.getpid())
            if process is None or process.closed:
                process = self._processes[os.getpid()] = _new_lab_process()
            return process


def _new_lab_process() -> LabProcess:
    from xdplab.backends.lab_process.client import LabProcess  # noqa: PLC0415 - as above
    from xdplab.broker import protocol  # noqa: PLC0415 - as above
    from xdplab.broker.client import connect  # noqa: PLC0415 - as above

    try:
        return LabProcess()
    except PermissionRefusedError as forbidden:
        # User namespaces are forbidden here, but perhaps not to the broker.
        try:
            return LabProcess(connect(protocol.LAB).socket)
        except KernelError as error:
            remedy = f"Nor may the broker: {error}"
            raise PermissionRefusedError(forbidden.tried, forbidden.errno or 0, remedy) from error


def _session(namespace: Namespace) -> Connection:
    from xdplab.broker import protocol  # noqa: PLC0415 - as above
    from xdplab.broker.client import connect  # noqa: PLC0415 - as above

    return not_a_childs(connect(protocol.NETWORK, descriptor=namespace.fd))


def not_a_childs(session: Connection) -> Connection:
    """Close a session in forked children, and return it.

    A session ends when no process holds its connection, and children may outlive their parent.
    """
    _sessions.add(session)
    return session


_sessions: WeakSet[Connection] = WeakSet()


def _let_go() -> None:
    for session in list(_sessions):
        session.close()


os.register_at_fork(after_in_child=_let_go)


def _open_sockets(request: PortRequest) -> list[socket.socket]:
    """Open a socket for each worker of a port."""
    family, kind = _SOCKETS[request.kind]
    return request.interface.namespace.run(_new_sockets, family, kind, len(request.queues))


def _new_sockets(family: int, kind: int, count: int) -> list[socket.socket]:
    return [socket.socket(family, kind, 0) for _ in range(count)]


def _bind_replay(binding: Binding) -> None:
    """Bind by a socket from the lab process; the broker registers the UMEM with it."""
    namespace = binding.interface.namespace
    (opened,) = namespace.run(_new_sockets, *_SOCKETS[Kind.XSK], 1)
    with opened, _session(namespace) as session:
        _register(session, opened, binding.generator.umem())
        binding.bind(opened.fileno(), registered=True)


def _register(session: Connection, owner: socket.socket, umem: Any) -> None:
    words = ("frame_size", "frame_count", "headroom", "unaligned", "transmit_metadata")
    session.request(
        "register_umem",
        {name: getattr(umem, name) for name in words},
        [owner.fileno(), umem.descriptor],
    )


def _prepare_sockets(
    session: Connection, request: PortRequest, sockets: Sequence[socket.socket]
) -> bool:
    """Let the broker prepare AF_XDP sockets; return whether it registered the UMEM."""
    if request.kind != Kind.XSK:
        return False
    budget = {"budget": request.busy_poll_budget}
    for each in sockets:
        with suppress(KernelError):  # an old kernel: then the strategy is refused, nothing else
            session.request("prefer_busy_poll", budget, [each.fileno()])
    umem = ffi.new("struct xdplab_umem *")
    if request.number or lib.xdplab_engine_umem(request.engine, umem):
        return False  # the first port's has it
    _register(session, sockets[0], umem)
    return True


def _attach(session: Connection, request: PortRequest) -> list[int]:
    """Let the broker load and attach the program; return descriptors of its link and maps."""
    words = ("attach_mode", "multi_buffer", "metadata", "takes_all", "address")
    given = request.config.match
    match = bytes(ffi.buffer(given.instructions, 8 * given.count)) if given.count else b""
    arguments = {
        "program": request.program,
        "interface": request.interface.index,
        "queues": max(*request.queues, lib.XDPLAB_MAP_QUEUES - 1) + 1,
        "counts": lib.xdplab_path_counts(request.config.path),
        "match": b64encode(match).decode(),
        **{name: getattr(request.config, name) for name in words},
    }
    return session.request("attach", arguments)[1]


BROKER = BrokerBackend()
