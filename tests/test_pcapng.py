"""What is saved as pcapng, Wireshark's own reader and scapy read back to the bit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.pings import all_answered
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, KernelError, Lab, Sampling, Telemetry, Traffic
from xdplab.telemetry.pcapng import write_pcapng
from xdplab.telemetry.region import VERDICTS, Records

# The kernel's alone: what sends from sockets.


def tshark(path: Path) -> list[dict[str, Any]]:
    """Return what tshark reads: of each frame its layers, with the raw bytes beside them."""
    command = ("tshark", "-r", path, "-n", "-x", "-T", "json")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]


def nanoseconds(seconds: str) -> int:
    whole, _, fraction = seconds.partition(".")
    return int(whole) * 10**9 + int(fraction.ljust(9, "0"))


def times(path: Path) -> list[int]:
    """Return when each frame was captured, by tshark: nanoseconds since 1970."""
    fields = ("-T", "fields", "-e", "frame.time_epoch")
    printed = subprocess.check_output(("tshark", "-r", path, "-n", *fields), text=True)
    return [nanoseconds(line) for line in printed.split()]


def kept(sample: Any) -> bytes:
    return bytes(sample["bytes"][: sample["captured"]])


@pytest.fixture
def samples_of_pings(lab: Lab) -> tuple[Telemetry, Records]:
    """Frames of several sizes, of which the last is longer than what is kept."""
    with Engine(lab.port, sampling=Sampling(every=1, bytes=256), action="echo") as engine:
        assert all_answered(lab.peer, lab.port.ipv4, 3)
        with lab.peer.socket() as udp:
            udp.settimeout(30)
            for size in (0, 1, 18, 100, 1000):
                udp.sendto(bytes(number % 256 for number in range(size)), (lab.port.ipv4, 7))
                udp.recv(2000)  # or the stack would say that nobody is there
    # Nothing comes any more.
    samples, _ = engine.telemetry.samples()
    assert len(samples) == 8
    return engine.telemetry, samples


@pytest.mark.kernel
def test_tshark_reads_bytes_times_and_lengths(
    samples_of_pings: tuple[Telemetry, Records], tmp_path: Path
) -> None:
    telemetry, samples = samples_of_pings
    saved = telemetry.save_samples(tmp_path / "frames.pcapng")
    assert saved == (tmp_path / "frames.pcapng", len(samples), "frames", False)

    offset = int(telemetry.header["realtime_ns"]) - int(telemetry.header["monotonic_ns"])
    assert times(saved.path) == [int(each) + offset for each in samples["time_ns"]]
    for read, sample in zip(tshark(saved.path), samples, strict=True):
        frame = read["frame"]
        assert bytes.fromhex(read["frame_raw"][0]) == kept(sample)
        assert int(frame["frame.len"]) == sample["length"]
        assert int(frame["frame.cap_len"]) == sample["captured"]
        assert frame["frame.interface_id_tree"]["frame.interface_name"] == "port0"
        assert int(frame["frame.packet_flags_tree"]["frame.packet_flags_direction"], 0) == 1
        assert int(frame["frame.interface_queue"]) == sample["queue"]
        comment = read["pkt_comment"]["frame.comment"]
        assert comment == f"echo: frame {sample['frame']} of worker 0"
    assert max(samples["length"]) > max(samples["captured"]) == 256
    assert {"icmp", "udp"} <= {layer for read in tshark(saved.path) for layer in read}


@pytest.mark.kernel
def test_scapy_reads_the_same(samples_of_pings: tuple[Telemetry, Records], tmp_path: Path) -> None:
    from scapy.utils import RawPcapNgReader

    telemetry, samples = samples_of_pings
    saved = telemetry.save_samples(tmp_path / "frames.pcapng")
    offset = telemetry.realtime_offset_ns
    with RawPcapNgReader(str(saved.path)) as packets:
        read = list(packets)
    assert len(read) == len(samples)
    for (data, about), sample in zip(read, samples, strict=True):
        assert data == kept(sample)
        assert about.wirelen == sample["length"]
        assert about.tsresol == 10**9
        assert (about.tshigh << 32) + about.tslow == int(sample["time_ns"]) + offset
        assert about.ifname == b"port0"


@pytest.mark.kernel
def test_capinfos_finds_the_snapshot_length_and_the_resolution(
    samples_of_pings: tuple[Telemetry, Records], tmp_path: Path
) -> None:
    telemetry, _ = samples_of_pings
    saved = telemetry.save_samples(tmp_path / "frames.pcapng")
    said = subprocess.check_output(("capinfos", saved.path), text=True)
    assert "nanoseconds (9)" in said
    assert "Capture length = 256" in said
    assert "Name = port0" in said
    assert "xdplab" in said


def test_frames_of_two_interfaces_are_told_apart_and_in_the_order_of_time(
    privileged: None, tmp_path: Path
) -> None:
    with (
        Lab() as first,
        Lab() as second,
        Engine(first.port, forward_to=second.port, sampling=Sampling(every=1)) as engine,
        Traffic(first.peer, first.port, rate=1000, count=20) as one,
        Traffic(second.peer, second.port, rate=1000, count=20) as other,
    ):
        assert one.wait(30)
        assert other.wait(30)
        assert eventually(lambda: engine.telemetry.total()["samples"] >= 40, 30)
        saved = engine.telemetry.save_samples(tmp_path / "frames.pcapng")
    read = [packet["frame"] for packet in tshark(saved.path)]
    seen = {frame["frame.interface_id_tree"]["frame.interface_name"] for frame in read}
    assert len(read) == saved.rows >= 40
    assert seen == {"port0 #1", "port0 #2"}
    assert times(saved.path) == sorted(times(saved.path))


def test_each_queue_has_its_frames(privileged: None, tmp_path: Path) -> None:
    with (
        Lab(queues=2) as lab,
        Engine(lab.port, queue=[0, 1], sampling=Sampling(every=1)) as engine,
        Traffic(lab.peer, lab.port, rate=1000, count=10) as traffic,
    ):
        assert traffic.wait(30)
        assert eventually(lambda: engine.telemetry.total()["samples"] >= 10, 30)
        engine.stop()
        both = engine.telemetry.save_samples(tmp_path / "both.pcapng")
        each = [
            engine.telemetry.save_samples(tmp_path / f"{n}.pcapng", worker=n).rows for n in (0, 1)
        ]
    assert both.rows == sum(each) >= 10


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(st.data())
def test_whatever_a_sample_holds_tshark_reads_it(
    closed_telemetry: Telemetry, tmp_path: Path, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, 16))  # tshark takes long to start, and no time for a sample
    samples = np.zeros(count, closed_telemetry.samples()[0].dtype)
    for sample in samples:
        content = data.draw(st.binary(max_size=256))
        sample["bytes"][: len(content)] = np.frombuffer(content, np.uint8)
        sample["captured"] = len(content)
        # Wireshark takes what is longer for a broken file.
        sample["length"] = data.draw(st.integers(len(content), 1 << 17))
        for name, bits in {"queue": 32, "frame": 64, "hash": 32, "device_time_ns": 64}.items():
            sample[name] = data.draw(st.integers(0, (1 << bits) - 1))
        sample["time_ns"] = data.draw(st.integers(0, 10**18))
        sample["sent_ns"] = data.draw(st.integers(0, 10**18))
        sample["flags"] = data.draw(st.integers(0, 7))
        sample["verdict"] = data.draw(st.integers(0, len(VERDICTS) - 1))
    saved = write_pcapng(tmp_path / "any.pcapng", closed_telemetry, {0: samples})
    ordered = sorted(samples, key=lambda sample: int(sample["time_ns"]))
    read = tshark(saved.path)
    assert [bytes.fromhex(each.get("frame_raw", [""])[0]) for each in read] == [
        kept(sample) for sample in ordered
    ]
    assert [int(each["frame"]["frame.len"]) for each in read] == [
        sample["length"] for sample in ordered
    ]


@pytest.fixture
def closed_telemetry(lab: Lab) -> Telemetry:
    with Engine(lab.port) as engine:
        return engine.telemetry


# In a mount namespace of its own, where a folder is a disk of 16 KiB.
FULL_DISK = """
mount -t tmpfs -o size=16k none "$1" && exec "$2" -c '
import os, sys
from xdplab import KernelError
from xdplab.core.files import whole_file
path = sys.argv[1] + "/frames.pcapng"
with whole_file(path) as file:
    file.write(b"older")
try:
    with whole_file(path) as file:
        file.write(bytes(1 << 20))
except KernelError as error:
    print(error)
print(os.listdir(sys.argv[1]), open(path).read())
' "$1"
"""


@pytest.mark.privilege  # to mount a small disk
def test_a_full_disk_leaves_the_older_file_and_nothing_half_written(
    privileged: None, tmp_path: Path
) -> None:
    command = ("unshare", "-m", "sh", "-c", FULL_DISK, "sh", tmp_path, sys.executable)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, left = done.stdout.splitlines()
    assert f"write {tmp_path}/frames.pcapng: the kernel said ENOSPC" in said
    assert left == "['frames.pcapng'] older"


def test_what_cannot_be_written_is_refused_by_name(
    closed_telemetry: Telemetry, tmp_path: Path
) -> None:
    with pytest.raises(KernelError, match="ENOENT"):
        closed_telemetry.save_samples(tmp_path / "no" / "folder.pcapng")
    with pytest.raises(ConfigurationError, match="regular file"):
        (tmp_path / "folder.pcapng").mkdir()
        closed_telemetry.save_samples(tmp_path / "folder.pcapng")
    with pytest.raises(ConfigurationError, match="regular file"):
        (tmp_path / "null.pcapng").symlink_to("/dev/null")
        closed_telemetry.save_samples(tmp_path / "null.pcapng")
    with pytest.raises(ConfigurationError, match=r"must end in \.pcapng, \.csv, \.parquet"):
        closed_telemetry.save_samples(tmp_path / "frames.pcap")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.pcapng", "null.pcapng"]


def test_a_file_is_as_readable_for_others_as_any_that_is_made(
    closed_telemetry: Telemetry, tmp_path: Path
) -> None:
    (tmp_path / "plain").touch()
    saved = closed_telemetry.save_samples(tmp_path / "frames.pcapng")
    assert saved.path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_without_python_pcapng_it_says_what_to_install(
    closed_telemetry: Telemetry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pcapng", None)  # as if it were not installed
    with pytest.raises(ConfigurationError, match=r"`pip install python-pcapng`, or save as \.csv"):
        closed_telemetry.save_samples(tmp_path / "frames.pcapng")
    assert closed_telemetry.save_samples(tmp_path / "frames.csv").rows == 0
    assert [path.name for path in tmp_path.iterdir()] == ["frames.csv"]


def test_python_pcapng_is_not_imported_until_it_is_asked_for() -> None:
    text = "import sys, xdplab.telemetry.pcapng; print('pcapng' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", text], text=True).strip() == "False"
