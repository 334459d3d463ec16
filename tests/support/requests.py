"""What clients of a broker ask of it, and hand over."""

from __future__ import annotations

import fcntl
import os
from typing import Any

from xdplab.broker import protocol
from xdplab.broker.client import connect

AF_XDP = 44
STREAM = {
    "size": 64,
    "flows": 1,
    "interval_ps": 1_000_000_000,
    "limit_frames": 10,
    "limit_ns": 0,
    "headers": "02" * 42,
}
GOOD: dict[str, dict[str, Any]] = {
    "attach": {
        "program": "capture",
        "interface": 2,
        "attach_mode": 0,
        "queues": 1,
        "multi_buffer": False,
        "metadata": False,
        "takes_all": 0,
        "counts": 0,
        "address": 0,
        "match": "",
    },
    "load_object": {"name": "xdp", "queues": 1},
    "attach_object": {"program": 1, "interface": 2, "attach_mode": 0},
    "replace_object": {"program": 1},
    "run_object": {
        "program": 1,
        "interface": 2,
        "frame": "AgIC" * 20,
        "repeat": 1,
        "queue": -1,
    },
    "runs_of_object": {"program": 1},
    "unload_object": {"program": 1},
    "generator_open": {"interface": 2, "cpu": 0, "longest": 1518, "stream": STREAM},
    "generator_start": {},
    "generator_stop": {},
    "generator_set_size": {"size": 64},
    "generator_set_interval": {"interval_ps": 0},
    "generator_status": {},
    "generator_close": {},
    "set_napi": {"number": 8193, "settings": {"threaded": 1}},
    "prefer_busy_poll": {"budget": 64},
    "register_umem": {
        "frame_size": 4096,
        "frame_count": 16,
        "headroom": 0,
        "unaligned": 0,
        "transmit_metadata": 0,
    },
}


def attach(
    path: str, namespace: int, index: int, program: str = "count", **changes: int
) -> list[int]:
    request = {"program": program, "interface": index, "attach_mode": 0, "queues": 1}
    flags = {"multi_buffer": 0, "metadata": 0, "takes_all": 0, "counts": 2, "address": 0}
    all_packets = {"match": ""}
    with connect(protocol.NETWORK, descriptor=namespace, path=path) as connection:
        return connection.request("attach", request | flags | all_packets | changes)[1]


def memory(size: int, *seals: int) -> int:
    made = os.memfd_create("memory", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.ftruncate(made, size)
    for seal in seals:
        fcntl.fcntl(made, fcntl.F_ADD_SEALS, seal)
    return made
