"""The telemetry region reads the same from Python, from C and from another process."""

from __future__ import annotations

import fcntl
import mmap
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import eventually

from xdplab import Capture, Engine, KernelError, Lab, Latency, Sampling, Telemetry, Traffic
from xdplab.native import ffi, lib
from xdplab.telemetry.region import CONTROL, COUNTERS, HEADER, LATENCY_STARTS, dtype_of


def is_laid_out(name: str) -> bool:
    """Tell whether the struct is part of the region: the others are opaque, or hold a pointer."""
    try:
        ffi.sizeof(f"struct {name}")
    except ffi.error:
        return False
    return not holds_pointer(ffi.typeof(f"struct {name}"))


def holds_pointer(ctype: Any) -> bool:
    if ctype.kind == "array":
        return holds_pointer(ctype.item)
    if ctype.kind == "struct":
        return any(holds_pointer(place.type) for _, place in ctype.fields)
    return bool(ctype.kind == "pointer")


LAID_OUT = [f"struct {name}" for name in ffi.list_types()[1] if is_laid_out(name)]
F_GET_SEALS, SHRINK_GROW_WRITE = 1034, 0x2 | 0x4 | 0x10


@pytest.mark.parametrize("name", LAID_OUT)
def test_each_dtype_has_the_fields_of_its_struct_where_the_compiler_put_them(name: str) -> None:
    ctype = ffi.typeof(name)
    dtype = dtype_of(ctype)
    assert dtype.itemsize == ffi.sizeof(ctype)
    for field, place in ctype.fields:
        if field != "padding":
            assert dtype.fields is not None
            assert dtype.fields[field][1] == place.offset
            assert dtype.fields[field][0].itemsize == ffi.sizeof(place.type)


@given(st.sampled_from(COUNTERS.names), st.integers(0, 2**64 - 1))
def test_what_c_stores_in_a_field_numpy_finds_there(name: str, value: int) -> None:
    counters = ffi.new("struct xdplab_counters *")
    if COUNTERS[name].shape:
        getattr(counters, name)[0] = value
    else:
        setattr(counters, name, value)
    record = np.frombuffer(ffi.buffer(counters), COUNTERS)[0]
    assert int(np.atleast_1d(record[name])[0]) == value


@given(st.lists(st.integers(0, 2**34 - 1), min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_within_one_percent_of_the_sorted_values(
    values: list[int], percent: float
) -> None:
    buckets = np.searchsorted(LATENCY_STARTS, np.array(values, np.uint64), side="right") - 1
    counts = np.bincount(buckets, minlength=len(LATENCY_STARTS)).astype(np.uint64)
    exact = sorted(values)[max(1, int(np.ceil(len(values) * percent / 100))) - 1]
    assert exact * 0.99 <= Latency(counts).percentile(percent) <= exact


def test_an_empty_histogram_has_no_percentile() -> None:
    assert np.isnan(Latency(np.zeros(len(LATENCY_STARTS), np.uint64)).percentile(50))


def test_the_history_has_a_record_for_every_interval_however_seldom_one_looks(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(publish_interval=0.005)) as engine:
        assert Traffic(lab.peer, lab.port, rate=20_000, seconds=0.5).start().wait(30)
        assert eventually(lambda: len(engine.telemetry.history()[0]) > 100)
        history, following = engine.telemetry.history()
        later, _ = engine.telemetry.history(following)
    assert following == len(history)
    assert (np.diff(history["time_ns"].astype(np.int64)) > 0).all()
    assert (np.diff(history["rx_packets"].astype(np.int64)) >= 0).all()
    assert len(later) < len(history)
    if len(later):
        assert later["time_ns"][0] > history["time_ns"][-1]


def test_the_long_history_has_each_second_in_which_a_capture_received(lab: Lab) -> None:
    with Capture(lab.port) as capture:
        for _ in range(4):
            capture.recv(timeout=0.05)
            time.sleep(1)
        records, _ = capture.telemetry.long_history()
    assert len(records) >= 4


def test_a_second_process_reads_the_region(lab: Lab) -> None:
    text = (
        "import sys; from xdplab import Telemetry; region = Telemetry.open(sys.argv[1]); "
        "print(region.counters()['rx_packets'], len(region.samples()[0]), region.workers)"
    )
    with Engine(lab.port, sampling=Sampling(every=10)) as engine:
        Traffic(lab.peer, lab.port, rate=10_000, count=1000).start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 1000)
        seen = subprocess.check_output(
            [sys.executable, "-c", text, engine.telemetry_path], text=True
        )
    assert seen.split() == ["1000", "100", "1"]


def test_nobody_can_write_to_the_region_or_cut_it_short(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        descriptor = os.open(engine.telemetry_path, os.O_RDWR)
        try:
            assert fcntl.fcntl(descriptor, F_GET_SEALS) & SHRINK_GROW_WRITE == SHRINK_GROW_WRITE
            with pytest.raises(PermissionError):
                os.ftruncate(descriptor, 0)
            with pytest.raises(PermissionError):
                os.pwrite(descriptor, b"0", 0)
            with pytest.raises(PermissionError):
                mmap.mmap(descriptor, HEADER.itemsize)
        finally:
            os.close(descriptor)


@given(st.binary(max_size=2 * HEADER.itemsize))
def test_a_file_that_is_no_region_is_refused(content: bytes) -> None:
    descriptor = os.memfd_create("no-region")
    try:
        os.write(descriptor, content)
        with pytest.raises(KernelError, match="EPROTO"):
            Telemetry(descriptor)
    finally:
        os.close(descriptor)


def test_the_header_and_the_control_block_say_what_the_engine_was_told(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(bytes=128, publish_interval=0.02, every=7)) as engine:
        header, control = engine.telemetry.header, engine.telemetry.control()
    assert header["process_id"] == os.getpid()
    assert (header["sample_bytes"], header["publish_interval_ns"]) == (128, 20_000_000)
    assert header["simulated"] == int(lab.simulated)
    assert control.dtype == CONTROL
    assert control["sample_every"] == 7


def test_the_samples_ring_keeps_the_newest(lab: Lab) -> None:
    kept = lib.XDPLAB_SAMPLE_RECORDS
    with Engine(lab.port, sampling=Sampling(every=1), ring_size=1 << 14) as engine:
        Traffic(lab.peer, lab.port, rate=100_000, count=3 * kept).start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["samples"] == 3 * kept)
        samples, following = engine.telemetry.samples()
    assert following == 3 * kept
    assert samples["frame"].tolist() == list(range(2 * kept, 3 * kept))


@pytest.mark.privilege  # what talks to a broker takes some too
def test_the_engine_takes_no_more_memory_than_its_umem_and_16_mib(lab: Lab) -> None:
    text = """
import resource, sys
from xdplab import Engine, Lab
with Lab() as lab:
    def locked_and_mapped():
        status = open('/proc/self/smaps_rollup').read()
        return int(status.split('Rss:')[1].split()[0])
    before = locked_and_mapped()
    with Engine(lab.port) as engine:
        engine.telemetry.counters()
        print(locked_and_mapped() - before)
"""
    kib = int(subprocess.check_output([sys.executable, "-c", text], text=True))
    umem = 2 * 2048 * 2048 // 1024
    assert umem <= kib <= umem + 16 * 1024


def test_importing_the_package_stays_light() -> None:
    heavy = {"bokeh", "pyroute2", "ipywidgets", "scapy", "pandas", "optuna", "rich", "IPython"}
    text = "import sys, xdplab; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.check_output([sys.executable, "-c", text], text=True).split()
    assert heavy.isdisjoint(loaded)
    assert "numpy" in loaded
    assert Path(sys.modules["xdplab"].__file__ or "").exists()
