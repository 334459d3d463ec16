"""Reads a client's object file in a confined process without privilege."""

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
from xdplab.core.errors import ConfigurationError
from xdplab.native import lib
from xdplab.programs.spec import OBJECT_BYTES, parse

_MOST_ANSWERED = 4 * OBJECT_BYTES


def read_apart(memory: int, name: str) -> Any:
    """Let another process read an object file, and return its answer, in types of JSON.

    Parameters
    ----------
    memory
        Descriptor of a memfd that holds the file.
    name
        As `programs.spec.parse` takes it.

    Raises
    ------
    ConfigurationError
        When it can't be read.
    TimeoutError
        When that takes too long, or the answer has no end: the session ends with it.
    """
    session = os.getpid()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            _parse_and_end(session, memory, theirs, name)
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


def _parse_and_end(session: int, memory: int, pipe: int, name: str) -> None:
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
        said: object = parse(data, name).plain()
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
    while sum(map(len, parts)) <= _MOST_ANSWERED:
        left = deadline - time.monotonic()
        # The session ends with this, and its parser with it.
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise TimeoutError(errno.ETIMEDOUT, "an object file takes too long to read")
        part = os.read(pipe, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
    raise TimeoutError(errno.E2BIG, "an object file says too much")
