"""Operations of a session for its client, in the client's network namespace."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import socket
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from xdplab.broker.daemon.interruption import interrupted_after
from xdplab.broker.daemon.limits import RUN_SECONDS
from xdplab.broker.daemon.listener_link import Line
from xdplab.broker.daemon.object_rules import check_spec, size_of
from xdplab.broker.daemon.parser import read_apart
from xdplab.broker.requests import REQUESTS
from xdplab.core.errors import ClosedError, ConfigurationError, KernelError, QueueBusyError
from xdplab.native import ffi, lib
from xdplab.native.objects import c_path
from xdplab.net.napi import set_napi
from xdplab.programs.loading import attach_program, load_program, replace_program
from xdplab.programs.running import run_program
from xdplab.programs.spec import refusal
from xdplab.programs.statistics import read_runs
from xdplab.refusals.errors import new_error, raise_error

# linux/socket.h, asm-generic/socket.h, linux/memfd.h; Python lacks them.
_AF_XDP = 44
_SO_DOMAIN, _SO_BUSY_POLL, _SO_PREFER_BUSY_POLL, _SO_BUSY_POLL_BUDGET = 39, 46, 69, 70

# Upper bound of the memory of our programs and their maps.
_OWN_OBJECTS_BYTES = 128 * 1024
_SOCKET_ENTRY_BYTES = 64

Answer = tuple[dict[str, Any], list[int]]


class Operations:
    """Performs requests that were checked (`requests.check_request`).

    The caller closes the descriptors of a request, and those of the answer once it was sent. All
    else that is opened ends with the session's process.

    Parameters
    ----------
    line
        Line to the listener, which grants memory.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._generator: Any = None
        # The client's own programs, by the numbers that it has for them; and ids of their links.
        self._programs: dict[int, int] = {}
        self._links: set[int] = set()
        self._numbers = itertools.count(1)
        # By their names in requests.
        self._each: dict[str, Callable[[dict[str, Any], list[int]], Answer]] = {
            name: getattr(self, f"_{name}") for name in REQUESTS
        }

    def perform(
        self, operation: str, arguments: Mapping[str, Any], descriptors: list[int]
    ) -> Answer:
        """Do one operation.

        Raises
        ------
        XdplabError
            When it can't be done. Nothing half-made is left.
        """
        return self._each[operation](dict(arguments), descriptors)

    def close(self) -> None:
        """Stop what runs."""
        if self._generator:
            lib.xdplab_generator_close(self._generator)
            self._generator = None

    def _attach(self, arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        program = c_path(arguments.pop("program"))
        arguments["interface_index"] = arguments.pop("interface")
        code = arguments.pop("match")
        match = {"instructions": ffi.from_buffer("uint8_t[]", code), "count": len(code) // 8}
        options = ffi.new(
            "struct xdplab_attach *", {"program": program, "match": match, **arguments}
        )
        made, error = ffi.new("struct xdplab_attachment *"), new_error()
        size = _OWN_OBJECTS_BYTES + _SOCKET_ENTRY_BYTES * arguments["queues"]
        with self._line.reserved("attach an XDP program", size) as reservation:
            if lib.xdplab_attach(options, made, error):
                raise_error(error)
            descriptors = [made.link, made.verdicts, *([made.sockets] if made.sockets >= 0 else [])]
            reservation.keep(descriptors)
        return {}, descriptors

    def _load_object(self, arguments: dict[str, Any], descriptors: list[int]) -> Answer:
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        _check_memory(descriptors[0], seals)
        try:
            plain = read_apart(descriptors[0], arguments["name"])
            spec = check_spec(plain, arguments["queues"])
        except ConfigurationError as error:
            raise refusal(error) from error
        with self._line.reserved(f"load {spec.name}", size_of(spec)) as reservation:
            program, maps = load_program(spec)
            number = next(self._numbers)
            self._programs[number] = program
            reservation.keep([program, *maps])
        told = ("name", "type", "key_size", "value_size", "entries")
        described = [{name: getattr(one, name) for name in told} for one in spec.maps]
        return {"program": number, "maps": described}, maps

    def _attach_object(self, arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        program = self._loaded(arguments["program"])
        link = attach_program(program, arguments["interface"], arguments["attach_mode"])
        self._links.add(lib.xdplab_link_id(link))
        return {}, [link]

    def _replace_object(self, arguments: dict[str, Any], descriptors: list[int]) -> Answer:
        program = self._loaded(arguments["program"])
        # Any other link that the client holds could be on an interface of the host's.
        if lib.xdplab_link_id(descriptors[0]) not in self._links:
            raise ConfigurationError("the descriptor must be of a link that this session made.")
        replace_program(descriptors[0], program)
        return {}, []

    def _run_object(self, arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        program = self._loaded(arguments["program"])
        given = (arguments[name] for name in ("frame", "repeat", "interface", "queue"))
        try:
            with interrupted_after(RUN_SECONDS):
                ran = run_program(program, *given)
        except KernelError as error:
            if error.errno != errno.EINTR:
                raise
            remedy = f"A frame gets {RUN_SECONDS:g} s of a broker's time: choose a smaller repeat."
            raise KernelError(error.tried, errno.ETIMEDOUT, remedy) from error
        return {**ran._asdict(), "output": b64encode(ran.output).decode()}, []

    def _runs_of_object(self, arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        return read_runs(self._loaded(arguments["program"]))._asdict(), []

    def _unload_object(self, arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        os.close(self._loaded(arguments["program"]))
        del self._programs[arguments["program"]]
        return {}, []

    def _loaded(self, number: int) -> int:
        if number not in self._programs:
            raise ClosedError("this session has no such program: load it first.")
        return self._programs[number]

    def _generator_open(self, arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        if self._generator:
            raise QueueBusyError(
                "open a generator", errno.EBUSY, "This session has one: close it first."
            )
        program, error = c_path("generate"), new_error()
        arguments["interface_index"] = arguments.pop("interface")
        options = ffi.new("struct xdplab_traffic *", {"program": program, **arguments})
        with self._line.reserved("open a generator", _OWN_OBJECTS_BYTES) as reservation:
            generator = lib.xdplab_generator_open(options, error)
            if not generator:
                raise_error(error)
            self._generator = generator
            state = os.dup(lib.xdplab_generator_state(generator))
            reservation.keep([state])
        return {}, [state]

    def _generator_start(self, _arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        error = new_error()
        if lib.xdplab_generator_start(self._opened(), error):
            raise_error(error)
        return {}, []

    def _generator_stop(self, _arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        lib.xdplab_generator_stop(self._opened())
        return {}, []

    def _generator_set_size(self, arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        lib.xdplab_generator_set_size(self._opened(), arguments["size"])
        return {}, []

    def _generator_set_interval(self, arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        lib.xdplab_generator_set_interval(self._opened(), arguments["interval_ps"])
        return {}, []

    def _generator_status(self, _arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        generator = self._opened()
        return {
            "running": bool(lib.xdplab_generator_running(generator)),
            "fault": lib.xdplab_generator_fault(generator),
            "too_long": lib.xdplab_generator_too_long(generator),
            "sent": lib.xdplab_generator_sent(generator),
            "sending_ns": lib.xdplab_generator_sending_ns(generator),
        }, []

    def _generator_close(self, _arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        self._opened()
        self.close()
        return {}, []

    def _set_napi(self, arguments: dict[str, Any], _descriptors: list[int]) -> Answer:
        set_napi(arguments["number"], arguments["settings"])
        return {}, []

    def _prefer_busy_poll(self, arguments: dict[str, Any], descriptors: list[int]) -> Answer:
        with _af_xdp(descriptors[0]) as given:
            try:
                # The strategy sets the time. With the default of net.core.busy_read above 0, a kick
                # of any other would wake no zero-copy driver (xsk_no_wakeup, Linux 6.18).
                given.setsockopt(socket.SOL_SOCKET, _SO_BUSY_POLL, 0)
                given.setsockopt(socket.SOL_SOCKET, _SO_PREFER_BUSY_POLL, 1)
                given.setsockopt(socket.SOL_SOCKET, _SO_BUSY_POLL_BUDGET, arguments["budget"])
            except OSError as error:
                raise KernelError("prefer busy polling", error.errno or 0) from error
        return {}, []

    def _register_umem(self, arguments: dict[str, Any], descriptors: list[int]) -> Answer:
        size = arguments["frame_size"] * arguments["frame_count"]
        with _af_xdp(descriptors[0]) as given:
            if _check_memory(descriptors[1], fcntl.F_SEAL_SHRINK) < size:
                raise ConfigurationError(f"the memfd is smaller than {size} bytes.")
            error = new_error()
            frames = ffi.new("struct xdplab_umem *", arguments)
            with self._line.reserved_for("register a UMEM", size, given.fileno()):
                if lib.xdplab_register_umem(given.fileno(), descriptors[1], frames, error):
                    raise_error(error)
        return {}, []

    def _opened(self) -> Any:
        if not self._generator:
            raise ClosedError("this session has no generator: open one first.")
        return self._generator


def _af_xdp(descriptor: int) -> socket.socket:
    """Take a descriptor for an AF_XDP socket, if it is one."""
    copy = os.dup(descriptor)
    try:
        # Told its family, Python asks the kernel nothing that another kind of file would mistake.
        given = socket.socket(_AF_XDP, socket.SOCK_RAW, 0, copy)
    except OSError:
        os.close(copy)
        raise ConfigurationError("the descriptor must be of an AF_XDP socket.") from None
    try:
        if given.getsockopt(socket.SOL_SOCKET, _SO_DOMAIN) == _AF_XDP:
            return given
    except OSError:
        pass
    given.close()
    raise ConfigurationError("the descriptor must be of an AF_XDP socket.")


def _check_memory(descriptor: int, seals: int) -> int:
    """Return the size of a memfd whose seals keep it unchanged."""
    try:
        sealed = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        raise ConfigurationError("the descriptor must be of a memfd.") from None
    if sealed & seals != seals:
        names = [name for name in ("SHRINK", "GROW", "WRITE") if _seal(name) & seals]
        raise ConfigurationError(f"the memfd must be sealed: {', '.join(names)}.")
    return os.fstat(descriptor).st_size


def _seal(name: str) -> int:
    return int(getattr(fcntl, f"F_SEAL_{name}"))
