"""A client's own XDP program: a confined process without privilege reads its object file."""

from __future__ import annotations

import errno
import json
import os
import select
import time
from contextlib import suppress
from typing import Any

from xdplab.broker.daemon.confinement import confine, die_with
from xdplab.broker.daemon.limits import PARSER_SECONDS, limit_parser
from xdplab.broker.daemon.line import Line
from xdplab.broker.protocol import close_all
from xdplab.core.errors import ConfigurationError
from xdplab.native import ffi, lib
from xdplab.programs.description import OBJECT_BYTES, Description, Map, check_description, describe
from xdplab.refusals.errors import new_error, raise_error

_MOST_DESCRIBED = 4 * OBJECT_BYTES


def load_object(
    line: Line, memory: int, name: str, *, interface: int, attach_mode: int, queues: int
) -> tuple[list[str], list[int]]:
    """Load a program out of an object file, with its maps, and attach it.

    Parameters
    ----------
    line
        Line to the listener, which grants memory.
    memory
        Descriptor of a memfd that holds the file.
    name
        Name of the program's function or section.
    interface
        Index of the interface.
    attach_mode
        One of ``enum xdplab_attach_mode``.
    queues
        Entries of an XSKMAP.

    Returns
    -------
    tuple
        Names of the maps; and descriptors, which the caller closes: the link's, and one for each
        map.

    Raises
    ------
    XdplabError
        When it can't be read, loaded or attached.
    """
    try:
        description = check_description(_read_apart(memory, name), queues)
    except ConfigurationError as error:
        raise ConfigurationError(f"the object file can't be loaded: {error}") from error
    with line.reserved(f"load {name}", description.size) as reservation:
        made: list[int] = []
        try:
            for one in description.maps:
                made.append(_create(one))
            link = _attach(description, made, interface, attach_mode)
        except BaseException:
            close_all(made)
            raise
        reservation.keep([link, *made])
    return [one.name for one in description.maps], [link, *made]


def _create(one: Map) -> int:
    error = new_error()
    held = [ffi.new("char[]", one.name.encode()), ffi.new("uint8_t[]", one.initial or b"\0")]
    fields = {**one._asdict(), "name": held[0], "initial": held[1] if one.initial else ffi.NULL}
    descriptor: int = lib.xdplab_map_create(ffi.new("struct xdplab_map *", fields), error)
    if descriptor < 0:
        raise_error(error)
    return descriptor


def _attach(description: Description, maps: list[int], interface: int, mode: int) -> int:
    error = new_error()
    count = len(description.instructions) // 8
    instructions = ffi.new("uint64_t[]", count)
    ffi.memmove(instructions, description.instructions, len(description.instructions))
    name = ffi.new("char[]", description.name.encode())
    license_ = ffi.new("char[]", description.license.encode("ascii", "replace"))
    program = {
        "name": name,
        "license": license_,
        "instructions": instructions,
        "instruction_count": count,
        "flags": description.flags,
    }
    native = ffi.new("struct xdplab_program *", program)
    link: int = lib.xdplab_program_attach(native, maps, interface, mode, error)
    if link < 0:
        raise_error(error)
    return link


def _read_apart(memory: int, name: str) -> Any:  # noqa: ANN401 - whatever it says
    """Let another process read the object file, and return its answer, in types of JSON."""
    session = os.getpid()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            _describe_and_end(session, memory, theirs, name)
        os._exit(1)
    os.close(theirs)
    try:
        said = _read_until_end(ours)
    finally:
        os.close(ours)
    os.waitpid(child, 0)
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        raise ConfigurationError("it could not be read.") from None
    if isinstance(answer, dict) and isinstance(refusal := answer.get("refusal"), str):
        raise ConfigurationError(refusal)
    return answer


def _describe_and_end(session: int, memory: int, pipe: int, name: str) -> None:
    die_with(session)
    os.dup2(memory, 0)
    os.dup2(pipe, 1)
    os.closerange(2, 1 << 20)
    limit_parser()
    confine(os.getuid(), os.getgid(), (), lib.XDPLAB_FILTER_PARSER)
    try:
        data = os.pread(0, OBJECT_BYTES + 1, 0)
        if len(data) > OBJECT_BYTES:
            raise ConfigurationError(f"it has more than {OBJECT_BYTES >> 20} MiB.")
        said: object = describe(data, name).plain()
    except ConfigurationError as error:
        said = {"refusal": str(error)}
    except MemoryError:
        said = {"refusal": "it takes too much memory."}
    answer = json.dumps(said).encode()
    while answer:
        answer = answer[os.write(1, answer) :]
    os._exit(0)


def _read_until_end(pipe: int) -> bytes:
    deadline = time.monotonic() + PARSER_SECONDS
    parts: list[bytes] = []
    while sum(map(len, parts)) <= _MOST_DESCRIBED:
        left = deadline - time.monotonic()
        # The session ends with this, and its parser with it.
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise TimeoutError(errno.ETIMEDOUT, "an object file takes too long to read")
        part = os.read(pipe, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
    raise TimeoutError(errno.E2BIG, "an object file says too much")
