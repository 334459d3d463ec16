"""The requests of a session and the checks of their arguments; client and session share them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from xdplab.core.checks import choice, whole
from xdplab.core.errors import ConfigurationError
from xdplab.core.more_power import MORE_POWER
from xdplab.native import lib
from xdplab.programs.running import LONGEST, MOST_REPEATS, NO_QUEUE, SHORTEST

Check = Callable[[str, Any], object]

_MOST_INDEX = 2**31 - 1
_MOST_CORES = 1024  # of a cpu_set_t
_HEADERS = 42  # native/include/traffic.h: Ethernet, IPv4, UDP
_NAPI_SETTINGS = {
    "threaded": 1,
    "defer_hard_irqs": _MOST_INDEX,
    "gro_flush_timeout": 2**63 - 1,
    "irq_suspend_timeout": 2**63 - 1,
}


class Request(NamedTuple):
    """The parts of a request: its arguments, all of them needed, and its descriptors."""

    arguments: Mapping[str, Check]
    descriptors: int = 0


def _number(least: int, most: int) -> Check:
    return lambda name, value: whole(name, value, least, most)


def _flag(name: str, value: object) -> int:
    return int(value) if isinstance(value, bool) else whole(name, value, 0, 1)


def _program(name: str, value: object) -> str:
    return choice(name, value, PROGRAMS)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 128 or not value.isprintable():
        raise ConfigurationError(f"{name} must be a name of up to 128 characters.")
    return value


def _program_name(name: str, value: object) -> str:
    return "" if value == "" else _text(name, value)


def _match(name: str, value: object) -> bytes:
    try:
        code = b64decode(value, validate=True)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        code = b"?"
    if len(code) % 8 or len(code) > 8 * lib.XDPLAB_MATCH_LONGEST:
        raise ConfigurationError(
            f"{name} must be at most {lib.XDPLAB_MATCH_LONGEST:,} instructions of classic BPF, in "
            "base64."
        )
    return code


def _headers(name: str, value: object) -> bytes:
    try:
        headers = bytes.fromhex(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        headers = b""
    if len(headers) != _HEADERS:
        raise ConfigurationError(f"{name} must be {_HEADERS} bytes in hexadecimal.")
    return headers


def _frame(name: str, value: object) -> bytes:
    try:
        frame = b64decode(value, validate=True)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        frame = b""
    if not SHORTEST <= len(frame) <= LONGEST:
        raise ConfigurationError(f"{name} must be {SHORTEST} to {LONGEST} bytes in base64.")
    return frame


def _object(checks: Mapping[str, Check]) -> Check:
    return lambda name, value: _checked(name, value, checks)


def _napi_settings(name: str, value: object) -> dict[str, int]:
    if not isinstance(value, dict) or not value or not value.keys() <= _NAPI_SETTINGS.keys():
        raise ConfigurationError(f"{name} must be some of: {', '.join(_NAPI_SETTINGS)}.")
    if value.get("threaded") == "busy-poll":
        raise ConfigurationError(
            "a broker lets no thread of the kernel busy-poll: it takes a core for as long as it is "
            f"set, and none of its user's limits covers it. For this {MORE_POWER}."
        )
    return {
        key: whole(key, int(number) if isinstance(number, bool) else number, 0, _NAPI_SETTINGS[key])
        for key, number in value.items()
    }


def _checked(name: str, value: object, checks: Mapping[str, Check]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != checks.keys():
        raise ConfigurationError(
            f"{name} must have, and no more: {', '.join(checks) or 'nothing'}."
        )
    return {key: check(key, value[key]) for key, check in checks.items()}


PROGRAMS = ("capture", "capture_metadata", "count")

_INTERFACE = _number(1, _MOST_INDEX)
_LOADED = _number(1, _MOST_INDEX)
_QUEUES = _number(1, 4096)  # the kernel's own limit
_SIZE = _number(60, 1514)  # of a generated frame
_INTERVAL = _number(0, 2**63 - 1)

REQUESTS: Mapping[str, Request] = {
    "attach": Request(
        {
            "program": _program,
            "interface": _INTERFACE,
            "attach_mode": _number(0, 1),
            "queues": _QUEUES,
            "multi_buffer": _flag,
            "metadata": _flag,
            "takes_all": _flag,
            "counts": _number(0, 3),
            "address": _number(0, 2**32 - 1),
            "match": _match,
        }
    ),
    "load_object": Request({"name": _program_name, "queues": _QUEUES}, descriptors=1),
    "attach_object": Request(
        {"program": _LOADED, "interface": _INTERFACE, "attach_mode": _number(0, 1)}
    ),
    "replace_object": Request({"program": _LOADED}, descriptors=1),
    "run_object": Request(
        {
            "program": _LOADED,
            "interface": _INTERFACE,
            "frame": _frame,
            "repeat": _number(1, MOST_REPEATS),
            "queue": _number(NO_QUEUE, 4095),
        }
    ),
    "runs_of_object": Request({"program": _LOADED}),
    "unload_object": Request({"program": _LOADED}),
    "generator_open": Request(
        {
            "interface": _INTERFACE,
            "cpu": _number(0, _MOST_CORES - 1),
            "longest": _number(60, 70_000),
            "stream": _object(
                {
                    "size": _SIZE,
                    "flows": _number(1, 60_000),
                    "interval_ps": _INTERVAL,
                    "limit_frames": _number(0, 2**62),
                    "limit_ns": _number(0, 2**62),
                    "headers": _headers,
                }
            ),
        }
    ),
    "generator_start": Request({}),
    "generator_stop": Request({}),
    "generator_set_size": Request({"size": _SIZE}),
    "generator_set_interval": Request({"interval_ps": _INTERVAL}),
    "generator_status": Request({}),
    "generator_close": Request({}),
    "set_napi": Request({"number": _number(1, 2**32 - 1), "settings": _napi_settings}),
    "prefer_busy_poll": Request({"budget": _number(1, 65_535)}, descriptors=1),
    "register_umem": Request(
        {
            "frame_size": _number(1, 2**20),
            "frame_count": _number(1, 2**26),
            "headroom": _number(0, 2**20),
            "unaligned": _flag,
            "transmit_metadata": _flag,
        },
        descriptors=2,
    ),
}


def check_request(operation: str, arguments: Mapping[str, Any], descriptors: int) -> dict[str, Any]:
    """Check a request, and return its arguments as the session takes them.

    Parameters
    ----------
    operation
        One of `REQUESTS`.
    arguments
        As received: in types of JSON.
    descriptors
        Number of descriptors that came with it.

    Raises
    ------
    ConfigurationError
        For an unknown operation or argument, one that is missing or out of range, or descriptors
        too many or too few.
    """
    request = REQUESTS.get(operation)
    if request is None:
        raise ConfigurationError(f"there is no such operation. These are: {', '.join(REQUESTS)}.")
    if descriptors != request.descriptors:
        raise ConfigurationError(
            f"{operation} takes {request.descriptors} descriptors, and {descriptors} came."
        )
    return _checked(operation, arguments, request.arguments)
