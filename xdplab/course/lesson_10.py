"""Checks of lesson 10, Packets in Python."""

from __future__ import annotations

import asyncio
import ctypes
import inspect
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib import import_module
from threading import Event
from typing import Any

import numpy as np

from xdplab.capture.capture import Capture
from xdplab.course.checking import (
    Checks,
    UnfilledError,
    WrongAnswerError,
    a_number,
    an,
    called,
    filled,
    running_theirs,
)
from xdplab.course.sending import send
from xdplab.engine.traffic import Traffic
from xdplab.handlers import DELIVER, PACKET, signature
from xdplab.lab.lab import Lab

_UDP, _TCP, _IPV4, _ARP = 17, 6, 0x0800, 0x0806
_PATIENCE = 10.0  # seconds


def _frame(port: int, protocol: int = _UDP, ethertype: int = _IPV4) -> bytes:
    """Return a frame of 60 bytes from a lab's peer, or one that looks like it but for a field."""
    ethernet = bytes.fromhex("0200c61200010200c6120002") + ethertype.to_bytes(2)
    ip = bytes([0x45, 0, 0, 46, 0, 0, 0, 0, 64, protocol, 0, 0, 198, 18, 0, 2, 198, 18, 0, 1])
    ports = (4000).to_bytes(2) + port.to_bytes(2) + (26).to_bytes(2) + bytes(2)
    return (ethernet + ip + ports).ljust(60, b"\0")


_GO_TO: Mapping[int, int] = {53: 60, 9: 40}
_OTHERS, _AT_ONCE, _GAP = 30, 10, 0.02  # packets, and seconds


def ports(function: object) -> None:
    """Check a function that counts 100 UDP packets by their destination port."""
    with Lab() as lab, Capture(lab.port, batch=16) as capture, Capture(lab.peer) as sender:
        frames = [_frame(port) for port, packets in _GO_TO.items() for _ in range(packets)]
        frames[10:10] = [_frame(53, _TCP) for _ in range(_OTHERS)]
        counted = an(dict, _while_sending(function, capture, sender, frames), "a dict")
    plain = {int(a_number(port, "a port")): int(n) for port, n in counted.items()}
    if plain == _GO_TO:
        return
    if sum(plain.values()) > sum(_GO_TO.values()):
        raise WrongAnswerError(f"it counted {sum(plain.values())} packets: not all of them UDP?")
    if set(plain) - set(_GO_TO):
        raise WrongAnswerError(f"no packet went to port {min(set(plain) - set(_GO_TO))}.")
    raise WrongAnswerError(f"it returns {plain}, and more packets came.")


def _while_sending(
    function: object, capture: Capture, sender: Capture, frames: Sequence[bytes]
) -> object:
    """Call a function with a capture, to which frames are sent meanwhile, some at a time."""
    over = Event()

    def send() -> None:
        for place in range(0, len(frames), _AT_ONCE):
            sender.send(frames[place : place + _AT_ONCE])
            if over.wait(_GAP):
                return
        if not over.wait(_PATIENCE):  # the function waits for what will not come
            capture.close()

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            return called(function, capture)
        finally:
            over.set()
            sending.result()


_WANTED, _RATE = 100, 500
_WAITING = 60  # packets that wait when the coroutine begins, of which one batch has many
_TICK, _TICKS, _QUIET = 0.005, 40, 2.0  # seconds: no packet comes until so many ticks, or so long


def count(function: object) -> None:
    """Check a coroutine function that counts packets, beside whatever else the loop has to do."""
    if not inspect.iscoroutinefunction(function):
        raise WrongAnswerError("a coroutine function is wanted: `async def`.")
    with Lab() as lab, Capture(lab.port, wait="poll") as capture, ThreadPoolExecutor(1) as pool:
        send(lab, _WAITING)
        with closing(Traffic(lab.peer, lab.port, rate=_RATE)) as traffic:
            # A notebook's thread runs an event loop already.
            counted, ticked = pool.submit(asyncio.run, _beside(function, capture, traffic)).result()
        capture.refresh()
        received = int(capture.telemetry.total()["rx_packets"])
    if a_number(filled(counted), "a number of packets") < _WANTED:
        raise WrongAnswerError(f"it returned {counted}, and {_WANTED} were wanted.")
    if counted != received:
        raise WrongAnswerError(f"it returned {counted}, and received {received} packets.")
    if not ticked:
        raise WrongAnswerError(
            f"in {_QUIET:g} s without packets, a clock of {1000 * _TICK:g} ms beside it ticked "
            f"fewer than {_TICKS} times: the event loop had to wait."
        )


async def _beside(function: Any, capture: Capture, traffic: Traffic) -> tuple[object, bool]:
    """Return what a coroutine counts, and whether a clock ticked while no packets came."""
    ticked = Event()

    async def tick() -> None:
        for _ in range(_TICKS):
            await asyncio.sleep(_TICK)
        ticked.set()

    def begin() -> bool:
        in_time = ticked.wait(_QUIET)
        traffic.start()
        return in_time

    clock = asyncio.create_task(tick())
    with ThreadPoolExecutor(1) as pool:
        beginning = pool.submit(begin)  # not on the loop, which may have to wait
        try:
            with running_theirs():
                counting = asyncio.create_task(function(capture, _WANTED))
            await asyncio.wait({counting}, timeout=_PATIENCE)
            if not counting.done():
                raise WrongAnswerError(f"it did not return in {_PATIENCE:g} s.")
            with running_theirs():
                counted = counting.result()
        finally:
            clock.cancel()
        return counted, beginning.result()


_DNS = 53
_HANDLER = ctypes.CFUNCTYPE(ctypes.c_uint32, *3 * [ctypes.c_void_p])


def only_dns(function: object) -> None:
    """Check a handler, compiled by numba, that delivers questions to a name server."""
    _code, handler = _compiled(function)
    for frame, length, delivered, which in (
        (_frame(_DNS), 60, True, "a UDP packet to port 53"),
        (_frame(9), 60, False, "a UDP packet to port 9"),
        (_frame(_DNS << 8), 60, False, f"a UDP packet to port {_DNS << 8}"),
        (_frame(_DNS, _TCP), 60, False, "a TCP packet to port 53"),
        (_frame(_DNS, ethertype=_ARP), 60, False, "a packet that is not IPv4"),
        (_frame(_DNS), 30, False, "a frame that ends before its ports"),
    ):
        data, about = np.frombuffer(bytearray(frame), np.uint8), np.zeros(1, PACKET)
        about["length"] = about["total"] = about["room"] = length
        if (handler(data.ctypes.data, about.ctypes.data, None) == DELIVER) != delivered:
            raise WrongAnswerError(f"{which} is {'not ' if delivered else ''}delivered.")


def _compiled(function: object) -> tuple[object, Callable[..., int]]:
    """Return what holds the compiled code, and a function that calls it."""
    function = inspect.unwrap(function) if callable(function) else None  # of a decorator of numba
    if function is None:
        raise WrongAnswerError("a function is wanted.")
    if _returns_nothing(function):
        raise UnfilledError("your function returns nothing.")
    try:
        compiled = import_module("numba").cfunc(signature())(function)
    except Exception as error:  # numba's own errors have no base of their own
        raise WrongAnswerError(f"numba does not compile it: {error}") from error
    return compiled, _HANDLER(compiled.address)


def _returns_nothing(function: Callable[..., object]) -> bool:
    try:
        return function(None, None, None) in (None, ...)
    except Exception:  # it wanted a packet
        return False


CHECKS: Checks = {"1": ports, "2": count, "3": only_dns}
