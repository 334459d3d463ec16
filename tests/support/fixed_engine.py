"""An engine on a soft NIC with made-up telemetry, so that widgets show the same in each run.

The engine is real and never starts. Its region is a copy, into which a minute of records, samples,
a latency histogram and the contents of rings are written. In figures the records end at noon.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab import Engine, Lab
from xdplab.knobs.journal import Change
from xdplab.native import ffi, lib
from xdplab.native.records import HEADER, dtype_of, sample_dtype
from xdplab.telemetry.latency import LATENCY_STARTS
from xdplab.telemetry.region import Telemetry
from xdplab.widgets.base import clock

RING_SIZE = 64
_BLOCK = dtype_of(ffi.typeof("struct xdplab_worker_block"))
_INTERVAL_NS = 10_000_000
_NOON_NS = 43_200 * 10**9  # of the first of January 1970
_SECONDS = 70
_SAMPLES = 8
_FRAME = bytes.fromhex(
    "020000000001020000000002080045000032000100004011b6b1c6120002c612000104000009001e0000"
)


def fixed_engine(lab: Lab) -> Engine:
    """Make the engine, and set the figures' clock; `lab` is simulated."""
    engine = Engine(lab.port, ring_size=RING_SIZE, action="reflect")
    region = bytearray(Path(engine.telemetry_path).read_bytes())
    now = time.monotonic_ns()
    clock._offset_ns = lambda: _NOON_NS - now  # type: ignore[assignment]
    header = np.frombuffer(region, HEADER, 1)
    header["monotonic_ns"] = now - _SECONDS * 10**9
    header["realtime_ns"] = _NOON_NS - _SECONDS * 10**9
    at = int(header["worker_offset"][0])
    block = np.frombuffer(region, _BLOCK, 1, offset=at)[0:1]
    _write_history(block, now)
    block["latency"] = _latencies()
    _write_rings(block["rings"], now)
    stride, kept = int(header["sample_stride"][0]), int(header["sample_bytes"][0])
    at += int(header["sample_offset"][0])
    head = np.frombuffer(region, np.uint64, 1, offset=at)
    samples = np.frombuffer(region, sample_dtype(kept, stride), _SAMPLES, offset=at + 64)
    _write_samples(head, samples, now)
    vars(engine)["telemetry"] = Telemetry(_sealed(region), [lab.port.interface.name])
    for age, knob, before, after in (
        (50, "batch", 64, 16),
        (35, "wait", "poll", "spin"),
        (34, "batch", 16, 256),
        (12, "wait", "spin", "adaptive"),
    ):
        engine.journal._changes.append(Change(now - age * 10**9, knob, before, after, age))
    return engine


def _write_history(block: npt.NDArray[Any], now: int) -> None:
    count = _SECONDS * 10**9 // _INTERVAL_NS - 1
    ages = np.arange(count)[::-1] * (_INTERVAL_NS / 1e9)  # seconds
    rates = 200_000 + 60_000 * np.sin(ages / 6) + 400_000 * ((ages > 8) & (ages < 8.1))
    packets = rates * _INTERVAL_NS / 1e9
    lost = np.where((ages > 20) & (ages < 23), packets / 4, 0)
    records = np.zeros(count, _BLOCK["history"].base["counters"])
    records["time_ns"] = now - np.round(ages * 1e9).astype(np.int64)
    records["state"] = lib.XDPLAB_STATE_RUNNING
    records["samples"] = _SAMPLES
    grown = {
        "rx_packets": packets - lost,
        "rx_bytes": (packets - lost) * 64,
        "tx_packets": (packets - lost) / 2,
        "tx_bytes": (packets - lost) * 32,
        "rx_ring_full": lost,
        "wakeups": np.full(count, 3),
        "cpu_ns": packets * 900,
        "user_ns": packets * 80,
        "idle_ns": packets * 300,
    }
    for name, values in grown.items():
        records[name] = np.cumsum(values).astype(np.uint64)
    records["syscalls"][:, lib.XDPLAB_SYSCALL_POLL] = np.cumsum(np.full(count, 4))
    levels = {"fill": 100, "tx": 10 + 8 * np.sin(ages), "completion": 4}
    for name, level in levels.items():
        records[f"{name}_producer"] = records["rx_packets"] + np.round(level).astype(np.uint64)
        records[f"{name}_consumer"] = records["rx_packets"]
    records["rx_peak"] = np.where(lost > 0, RING_SIZE, 20 + 10 * np.sin(ages / 3))
    history = block["history"][0]
    history["counters"][:count] = records
    history["sequence"][:count] = 2 * np.arange(count) + 2
    block["history_head"]["written"] = count
    rare = records[:: 10**9 // _INTERVAL_NS]
    block["long_history"][0]["counters"][: len(rare)] = rare
    block["long_history"][0]["sequence"][: len(rare)] = 2 * np.arange(len(rare)) + 2
    block["long_head"]["written"] = len(rare)


def _latencies() -> npt.NDArray[np.uint64]:
    """Return a histogram with a hill at 20 µs and a smaller one at 300 µs."""
    microseconds = np.maximum(LATENCY_STARTS.astype(float), 1) / 1000
    hills = ((20, 10_000, 0.3), (300, 800, 0.2))
    counts = sum(
        high * np.exp(-(((np.log(microseconds / at)) / wide) ** 2)) for at, high, wide in hills
    )
    return np.asarray(counts).astype(np.uint64)


def _write_rings(rings: npt.NDArray[Any], now: int) -> None:
    rings["sequence"] = 2
    rings["time_ns"], rings["ring_size"], rings["turns"] = now, RING_SIZE, 5
    produced = {"fill": (128, 40), "rx": (40, 20), "tx": (16, 10), "completion": (10, 6)}
    for name, (producer, consumer) in produced.items():
        rings[f"{name}_producer"], rings[f"{name}_consumer"] = producer, consumer
        rings[name][0, :128] = np.arange(128) * 2048


def _write_samples(head: npt.NDArray[Any], samples: npt.NDArray[Any], now: int) -> None:
    head[0] = _SAMPLES
    samples["sequence"] = 2 * np.arange(_SAMPLES) + 2
    samples["time_ns"] = now - np.arange(_SAMPLES)[::-1] * 10**8
    samples["frame"] = np.arange(_SAMPLES) * 1000
    samples["length"] = 64
    samples["captured"] = len(_FRAME)
    samples["verdict"] = lib.XDPLAB_VERDICT_REFLECT
    samples["bytes"][:, : len(_FRAME)] = np.frombuffer(_FRAME, np.uint8)


def _sealed(region: bytes) -> int:
    """Return the descriptor of a memfd with these contents, as an engine's region is."""
    descriptor = os.memfd_create("fixed", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(descriptor, region)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return descriptor
