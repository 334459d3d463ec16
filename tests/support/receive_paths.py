"""The receive paths other than AF_XDP's: engines on them, and frames sent to these."""

from __future__ import annotations

from typing import Any

import pytest

from xdplab import Engine, Lab, Traffic
from xdplab.configuration.keywords import grouped

HOLDABLE_RATE = 20_000
COUNT = 2_000
LARGE_BUFFER = 64 << 20  # holds all of COUNT, however long the worker is kept from its core

UDP = ("udp-blocking", "udp-epoll", "udp-uring")
PACKET = ("packet", "packet-mmap")
SOCKETS = (*UDP, *PACKET)
OTHERS = (*SOCKETS, "xdp")

each_path = pytest.mark.parametrize("path", OTHERS)
each_socket = pytest.mark.parametrize("path", SOCKETS)


def engine_on(lab: Lab, path: str, **settings: Any) -> Engine:
    buffer = {"socket_buffer": LARGE_BUFFER} if path in SOCKETS else {}
    return Engine(lab.port, path=path, **grouped({**buffer, **settings}))


def send(lab: Lab, count: int = COUNT, **settings: float) -> None:
    with Traffic(lab.peer, lab.port, count=count, **{"rate": HOLDABLE_RATE, **settings}) as traffic:
        assert traffic.wait(30)


def received(engine: Engine) -> int:
    return int(engine.telemetry.counters()["rx_packets"])
