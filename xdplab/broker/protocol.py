"""The protocol of broker and client, with its checks; both sides use this file.

A connection is a Unix socket that keeps messages apart (SOCK_SEQPACKET). The client's first message
is of fixed size, `FIRST`: the session's purpose, and a name where that needs one; at most one
descriptor comes with it. Every message after it is one JSON object:

    request     {"op": "attach", "arguments": {...}, "number": 7}
    answer      {"answer": {...}, "number": 7}
    refusal     {"error": "QueueBusyError", "tried": "...", "errno": 16, "remedy": "...",
                 "number": 7}, and of the verifier's its "log"

An answer or a refusal has the number of its request: a client that was interrupted may have sent a
request without reading the answer, or without noting that it sent one. The first message is
answered in the same way, and has the number 0. Descriptors travel beside requests and answers.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from xdplab.core import errors
from xdplab.core.descriptors import close_all, receive_with_descriptors
from xdplab.core.errors import ConfigurationError, KernelError, VerifierError, XdplabError

SOCKET_PATH = "/run/xdplab/broker.sock"
SOCKET_VARIABLE = "XDPLAB_BROKER"

FIRST = struct.Struct("=c16s")
NAME_BYTES = 15  # an interface's (IFNAMSIZ less its end)
NETWORK, LAB, SOFTIRQ, STATISTICS, INTERFACE = b"N", b"L", b"S", b"R", b"I"
KINDS = (NETWORK, LAB, SOFTIRQ, STATISTICS, INTERFACE)

MESSAGE_BYTES = 64 * 1024
MOST_DESCRIPTORS = 40
_MOST_TEXT = 8 * 1024  # of one text in a refusal
_MOST_LOG = 16 * 1024  # of a verifier's log, which ends with the reason


class Malformed(Exception):  # noqa: N818 - of a message, not of what it asks for
    """A message that breaks the protocol; the connection ends with it."""


def encode_first(kind: bytes, name: str = "") -> bytes:
    """Write the first message of a connection.

    Parameters
    ----------
    kind
        One of `KINDS`.
    name
        Name of the requested interface, with `INTERFACE`.
    """
    encoded = name.encode()
    if kind not in KINDS:
        raise ConfigurationError(f"no connection is of the kind {kind!r}.")
    if len(encoded) > NAME_BYTES or b"\0" in encoded:
        raise ConfigurationError(
            f"name={name!r} must be an interface's: at most {NAME_BYTES} bytes, none of them zero."
        )
    return FIRST.pack(kind, encoded)


def decode_first(message: bytes) -> tuple[bytes, str]:
    """Read the first message of a connection.

    Raises
    ------
    Malformed
        When it is not one.
    """
    if len(message) != FIRST.size:
        raise Malformed(f"the first message has {len(message)} bytes")
    kind, field = FIRST.unpack(message)
    name = field.rstrip(b"\0")
    if kind not in KINDS or b"\0" in name or len(name) > NAME_BYTES:
        raise Malformed("the first message names no kind of session")
    if bool(name) != (kind == INTERFACE) or not all(0x20 < byte < 0x7F for byte in name):
        raise Malformed("the first message has a name that it should not have")
    return kind, name.decode()


def encode_request(operation: str, arguments: Mapping[str, object], number: int = 0) -> bytes:
    """Write a request."""
    return _encode({"op": operation, "arguments": dict(arguments), "number": number})


def decode_request(message: bytes) -> tuple[str, dict[str, Any], int]:
    """Read a request, whose operation and arguments are still to be checked.

    Returns
    -------
    tuple
        The operation, its arguments, and the request's number.

    Raises
    ------
    Malformed
        When it is not one.
    """
    parsed = _decode(message)
    number = _take_number(parsed)
    operation, arguments = parsed.get("op"), parsed.get("arguments")
    if len(parsed) != 2 or not isinstance(operation, str) or not isinstance(arguments, dict):
        raise Malformed("a request has an op and arguments")
    return operation, arguments, number


def encode_answer(answer: Mapping[str, object], number: int = 0) -> bytes:
    """Write an answer."""
    return _encode({"answer": dict(answer), "number": number})


def encode_refusal(error: XdplabError, number: int = 0) -> bytes:
    """Write an error, which `decode_answer` raises again."""
    # The kind that both sides know.
    kind = next(each for each in type(error).__mro__ if each.__module__ == errors.__name__)
    refusal: dict[str, object] = {"error": kind.__name__, "number": number}
    if isinstance(error, KernelError):
        texts = {"tried": error.tried, "remedy": error.remedy}
        refusal |= {"errno": error.errno or 0}
        if isinstance(error, VerifierError):
            refusal |= {"log": error.log[-_MOST_LOG:]}
    else:
        texts = {"tried": str(error)}
    return _encode(refusal | {name: text[:_MOST_TEXT] for name, text in texts.items()})


def decode_answer(message: bytes, number: int = 0) -> dict[str, Any] | None:
    """Read an answer to a request.

    Parameters
    ----------
    message
        The message as received.
    number
        Number of the request.

    Returns
    -------
    dict or None
        The answer; None where it is one to an earlier request.

    Raises
    ------
    XdplabError
        The other side's refusal, as it would have been raised in this process.
    Malformed
        When it is neither an answer nor a refusal.
    """
    parsed = _decode(message)
    answered = _take_number(parsed)
    if answered < number:
        return None
    if answered > number:
        raise Malformed("an answer to a request that was not made")
    if "error" in parsed:
        raise _refusal(parsed)
    answer = parsed.get("answer")
    if len(parsed) != 1 or not isinstance(answer, dict):
        raise Malformed("an answer has nothing but an answer")
    return answer


def send(connection: socket.socket, message: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send one message, and descriptors beside it."""
    socket.send_fds(connection, [message], list(descriptors), socket.MSG_NOSIGNAL)


def receive(connection: socket.socket, most_bytes: int = MESSAGE_BYTES) -> tuple[bytes, list[int]]:
    """Receive one message and its descriptors, which the caller closes.

    Returns
    -------
    tuple
        The message, empty when the other side is gone, and close-on-exec descriptors.

    Raises
    ------
    Malformed
        When it is longer, or brings more descriptors. Those that came are closed.
    OSError
        When this process has too few descriptors left for those that it brings, too.
    """
    message, descriptors, flags = receive_with_descriptors(connection, most_bytes, MOST_DESCRIPTORS)
    if flags & socket.MSG_CTRUNC and len(descriptors) < MOST_DESCRIPTORS:
        close_all(descriptors)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        close_all(descriptors)
        raise Malformed(
            f"a message has {most_bytes} bytes and {MOST_DESCRIPTORS} descriptors at most"
        )
    return message, descriptors


def _encode(value: Mapping[str, object]) -> bytes:
    message = json.dumps(value, allow_nan=False).encode()
    if len(message) > MESSAGE_BYTES:
        raise ConfigurationError(f"a message has {MESSAGE_BYTES} bytes at most.")
    return message


def _decode(message: bytes) -> dict[str, Any]:
    try:
        # UTF-8 and nothing else: given bytes, `json` would guess.
        text = message.decode()
        parsed = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Malformed("a message is one JSON object") from error
    if not isinstance(parsed, dict):
        raise Malformed("a message is one JSON object")
    return parsed


def _take_number(parsed: dict[str, Any]) -> int:
    number = parsed.pop("number", 0)
    if not isinstance(number, int) or number < 0:
        raise Malformed("a number counts the requests of a connection")
    return number


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name twice")
    return made


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _refusal(parsed: Mapping[str, Any]) -> XdplabError:
    kind = getattr(errors, str(parsed["error"]), None)
    tried, remedy, code = (parsed.get(name) for name in ("tried", "remedy", "errno"))
    if (
        not isinstance(kind, type)
        or not issubclass(kind, XdplabError)
        or not isinstance(tried, str)
    ):
        raise Malformed("a refusal says what was tried")
    if not issubclass(kind, KernelError):
        return kind(tried)
    if not isinstance(code, int) or not isinstance(remedy, str):
        raise Malformed("a refusal of the kernel's has an errno and a remedy")
    refused = kind(tried, code, remedy)
    if isinstance(refused, VerifierError):
        if not isinstance(log := parsed.get("log"), str):
            raise Malformed("a refusal of the verifier's has its log")
        refused.log = log
    return refused
