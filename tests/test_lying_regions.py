"""A region that says what can't be true, or whose writer died amid a record, is told in words."""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.huge_pages import own_huge_pages
from support.waiting import eventually

from xdplab import (
    Engine,
    KernelError,
    Lab,
    Sampling,
    Telemetry,
    TelemetryError,
    Traffic,
    XdplabError,
)
from xdplab.core.errors import ConfigurationError
from xdplab.native import ffi

F_ADD_SEALS, F_SEAL_SHRINK = 1033, 2
MFD_ALLOW_SEALING, MFD_HUGETLB = 2, 4
MOST = (1 << 64) - 1

HEADER = ffi.sizeof("struct xdplab_header")
_BLOCK = "struct xdplab_worker_block"
SAMPLES = HEADER + ffi.sizeof(_BLOCK)


def place_of(field: str) -> int:
    return HEADER + int(ffi.offsetof(_BLOCK, field))


@pytest.fixture(scope="module")
def content() -> bytes:
    """Have what an engine wrote: some records, and samples."""
    with (
        Lab(backend="soft") as lab,
        Engine(lab.port, sampling=Sampling(every=1, bytes=64)) as engine,
    ):
        with Traffic(lab.peer, lab.port, rate=10_000, count=20) as traffic:
            assert traffic.wait(30)
        assert eventually(lambda: len(engine.telemetry.samples()[0]) == 20)
        assert eventually(lambda: engine.telemetry.history()[1] > 3)
        engine.stop()
        return Path(engine.telemetry_path).read_bytes()


@pytest.fixture
def region(content: bytes) -> Iterator[int]:
    """Have a copy that can be written to."""
    descriptor = os.memfd_create("region", MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    fcntl.fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xdplab.telemetry.checks._PATIENCE_SECONDS", 0.002)


def doors(telemetry: Telemetry, folder: Path) -> list[Callable[[], object]]:
    """Return everything that reads a region."""
    return [
        telemetry.counters,
        telemetry.total,
        telemetry.history,
        lambda: telemetry.history(MOST),
        telemetry.long_history,
        telemetry.rings,
        telemetry.samples,
        telemetry.control,
        lambda: repr(telemetry.latency()),
        lambda: telemetry.realtime_offset_ns,
        *(
            lambda long=long, ending=ending: telemetry.save_history(
                folder / f"h{ending}", long=long
            )
            for long in (False, True)
            for ending in (".csv", ".parquet")
        ),
        *(
            lambda name=name: telemetry.save_samples(folder / name)
            for name in ("s.csv", "s.parquet", "s.pcapng")
        ),
    ]


def test_what_an_engine_wrote_passes(region: int, tmp_path: Path) -> None:
    with Telemetry(region) as telemetry:
        for door in doors(telemetry, tmp_path):
            door()
        assert len(telemetry.samples()[0]) == 20


def _words() -> st.SearchStrategy[tuple[int, int]]:
    """Return places of words that somebody goes by, and values that may be wrong there."""
    records = [place_of("history") + 8 * word for word in range(20)]
    ring = [SAMPLES + 8 * word for word in range(60)]
    known = [
        *range(0, HEADER, 8),
        *(place_of(name) for name in ("history_head", "long_head", "rings", "long_history")),
        *(place_of("latency") + 8 * bucket for bucket in (0, 1, 3583)),
        *(place_of("rings") + 8 * word for word in range(12)),
        *records,
        *ring,
    ]
    values = [0, 1, 2, 3, 1 << 31, 1 << 32, 1 << 52, 1 << 53, 1 << 62, 1 << 63, MOST, MOST - 1]
    value = st.sampled_from(values) | st.integers(0, MOST)
    return st.tuples(st.sampled_from(known), value)


@given(st.lists(_words(), min_size=1, max_size=6))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_region_says_every_door_answers_or_raises_an_error_of_ours(
    region: int, content: bytes, tmp_path: Path, impatient: None, words: list[tuple[int, int]]
) -> None:
    for place, value in words:
        os.pwrite(region, struct.pack("<Q", value), place)
    try:
        with suppress(XdplabError), Telemetry(region) as telemetry:
            for door in doors(telemetry, tmp_path):
                with suppress(XdplabError):
                    door()
    finally:
        for place, _ in words:
            os.pwrite(region, content[place : place + 8], place)


@pytest.mark.parametrize(
    ("place", "value", "door"),
    [
        (place_of("rings"), 7, "rings"),
        (place_of("history_head"), 1 << 40, "counters"),
        (place_of("history_head"), MOST, "total"),
    ],
)
def test_a_writer_that_died_amid_a_record_is_told_within_a_second_or_so(
    region: int, place: int, value: int, door: str
) -> None:
    os.pwrite(region, struct.pack("<Q", value), place)
    with Telemetry(region) as telemetry:
        process = telemetry.header["process_id"]
        began = time.monotonic()
        with pytest.raises(TelemetryError, match=rf"process {process} stopped while it wrote them"):
            getattr(telemetry, door)()
        assert time.monotonic() - began < 20
        # The rest of it is there still.
        assert len(telemetry.samples()[0]) == 20


def test_a_reader_that_waits_for_rings_hears_an_interrupt(region: int) -> None:
    os.pwrite(region, struct.pack("<Q", 7), place_of("rings"))
    text = """
import sys, time
from xdplab import Telemetry
from xdplab.telemetry import checks

def tell(seconds):
    time.sleep = pause
    print("waits", flush=True)
    pause(seconds)

checks._PATIENCE_SECONDS = 60
telemetry = Telemetry(int(sys.argv[1]))
pause, time.sleep = time.sleep, tell
try:
    telemetry.rings()
except KeyboardInterrupt:
    print("heard")
"""
    with subprocess.Popen(
        [sys.executable, "-c", text, str(region)],
        pass_fds=[region],
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "waits\n"
        reader.send_signal(signal.SIGINT)
        assert reader.communicate(timeout=30)[0] == "heard\n"


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (
            SAMPLES + 64 + 8,
            1 << 63,
            f"time_ns={1 << 63} in a sample of worker 0",
        ),
        (SAMPLES + 64 + 44, 99, "verdict=99 in a sample"),
        (SAMPLES + 64 + 32, 99 << 32, "captured=99 in a sample"),
        (place_of("history") + 8, 5, "time_ns=5 in a record"),
        (place_of("latency"), MOST, "latency of worker 0"),
    ],
)
def test_what_no_engine_writes_is_named(region: int, place: int, value: int, words: str) -> None:
    size = 2 if "verdict" in words else 8
    os.pwrite(region, value.to_bytes(size, "little"), place)
    with Telemetry(region) as telemetry:

        def read() -> None:
            telemetry.samples()
            telemetry.history()
            telemetry.latency()

        with pytest.raises(TelemetryError, match=words):
            read()


@pytest.mark.parametrize("field", ["worker_count", "publish_interval_ns"])
def test_a_region_of_no_workers_or_no_interval_is_none(region: int, field: str) -> None:
    os.pwrite(region, bytes(4), int(ffi.offsetof("struct xdplab_header", field)))
    with pytest.raises(KernelError, match="EPROTO"):
        Telemetry(region)


def test_names_are_one_a_worker(region: int) -> None:
    with pytest.raises(ConfigurationError, match="must be 1 names, one a worker"):
        Telemetry(region, ["port0", "port1"])


def padded(content: bytes, size: int) -> bytes:
    """Make a region longer, as a file in huge pages is."""
    place = int(ffi.offsetof("struct xdplab_header", "region_size"))
    return content[:place] + struct.pack("<Q", size) + content[place + 8 :].ljust(size - place - 8)


@pytest.mark.privilege
def test_a_region_in_huge_pages_is_none_since_they_can_be_taken_away(content: bytes) -> None:
    page = 2 << 20
    size = -(-len(content) // page) * page
    for flags in (0, MFD_HUGETLB):
        with own_huge_pages(size // page if flags else 0):
            descriptor = os.memfd_create("region", MFD_ALLOW_SEALING | flags)
            try:
                os.ftruncate(descriptor, size)
                with mmap.mmap(descriptor, size) as memory:
                    memory[:] = padded(content, size)
                fcntl.fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK)
                if flags:
                    with pytest.raises(KernelError, match="EPROTO"):
                        Telemetry(descriptor)
                else:
                    assert len(Telemetry(descriptor).samples()[0]) == 20
            finally:
                os.close(descriptor)


def test_a_region_with_holes_reads_as_one_that_was_never_written(region: int) -> None:
    command = "fallocate --punch-hole --offset 4096 --length 1GiB"
    with Telemetry(region) as telemetry:
        subprocess.run([*command.split(), f"/proc/{os.getpid()}/fd/{region}"], check=True)
        assert telemetry.counters()["time_ns"] == 0
        assert len(telemetry.samples()[0]) == 0
