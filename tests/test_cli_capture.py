"""`xdplab capture` writes whole packets into files that others can read, however it ends."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scapy.utils import PcapNgReader
from support.waiting import eventually

from xdplab import Capture

pytestmark = pytest.mark.usefixtures("privileged")
COMMAND = (str(Path(sys.executable).with_name("xdplab")), "capture", "--rate", "5000")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=100
    )
    assert "Traceback" not in done.stderr
    return done


def numbers(path: Path) -> list[int]:
    """Return the numbers of the generator's frames, as scapy finds them."""
    with PcapNgReader(str(path)) as reader:
        return [int.from_bytes(bytes(packet)[44:52], "little") for packet in reader]


def test_a_number_of_packets_is_recorded_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "some.pcapng"
    done = run("--write", str(path), "--count", "300")
    assert done.returncode == 0, done.stderr
    assert f"300 packets in {path}" in done.stdout
    assert numbers(path) == list(range(300))
    again = run("--write", str(path), "--count", "100", "--json", "--filter", "udp")
    said = json.loads(again.stdout)
    assert said["packets"] == len(numbers(path)) == 100
    assert said["files"] == [str(path)]
    assert said["filtered"] == said["lost"] == 0
    assert said["received"] >= said["packets"]
    assert said["error"] is None


def test_what_the_filter_leaves_out_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "some.pcapng"
    done = run("--write", str(path), "--seconds", "2", "--filter", "tcp", "--json")
    said = json.loads(done.stdout)
    assert said["packets"] == len(numbers(path)) == 0
    assert said["filtered"] == said["received"] > 0


def test_files_are_rotated_and_nothing_is_lost_between_them(tmp_path: Path) -> None:
    path = tmp_path / "some.pcapng"
    done = run("--write", str(path), "--count", "500", "--rotate", "10k", "--batch", "16")
    assert done.returncode == 0, done.stderr
    files = sorted(tmp_path.iterdir())
    assert len(files) > 3
    assert files[0].name == "some-00001.pcapng"
    assert [number for each in files for number in numbers(each)] == list(range(500))
    assert f"500 packets in {len(files)} files" in done.stdout


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_file_can_be_read_however_the_recording_ends(
    tmp_path: Path, ending: signal.Signals
) -> None:
    path = tmp_path / "some.pcapng"
    process = subprocess.Popen(
        [*COMMAND, "--write", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert eventually(lambda: path.exists() and path.stat().st_size > 50_000)
    process.send_signal(ending)
    out, errors = process.communicate(timeout=60)
    with Capture.from_pcap(path) as capture:
        recorded = sum(map(len, capture))
    assert recorded > 100
    if ending == signal.SIGKILL:
        return
    assert process.returncode == 128 + ending
    assert f"{recorded:,} packets in {path}" in out
    assert not errors


def test_a_disk_without_room_ends_it_with_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "some.pcapng"
    process = subprocess.Popen(
        [*COMMAND, "--write", str(path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert eventually(lambda: path.exists() and path.stat().st_size > 50_000)
    most = path.stat().st_size + 10_000
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "EFBIG" in errors
    said = json.loads(out)
    assert "EFBIG" in said["error"]
    assert said["packets"] == len(numbers(path)) > 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--filter", "prot 53"), "--filter"),
        (("--count", "0"), "--count 0"),
        (("--rotate", "5"), "--rotate 5"),
        (("--rotate", "much"), "--rotate much"),
        (("--write", "/"), "no regular file"),
        (("--write", "/no/such/folder/x.pcapng"), "ENOENT"),
        (("--rate", "none", "--interface", "eth99"), "eth99"),
    ],
)
def test_a_wrong_call_is_refused_in_the_words_that_were_typed(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    began = time.monotonic()
    done = run("--write", str(tmp_path / "x.pcapng"), "--seconds", "60", *arguments)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert time.monotonic() - began < 60
