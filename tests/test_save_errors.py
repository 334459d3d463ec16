"""A file that can't be written: the error names it and a remedy, and nothing half-made is left."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.waiting import eventually

from xdplab import Engine, Lab, Sampling, Traffic
from xdplab.bench.report.page import check_place
from xdplab.core.errors import ConfigurationError, KernelError, XdplabError
from xdplab.core.files import Saved, whole_file
from xdplab.telemetry.region import Telemetry

ENDINGS = ("csv", "parquet", "pcapng")
SAVE = pytest.mark.parametrize("ending", ENDINGS)


@pytest.fixture(scope="module")
def telemetry(privileged: None) -> Iterator[Telemetry]:
    with Lab() as lab, Engine(lab.port, sampling=Sampling(every=1)) as engine:
        traffic = Traffic(lab.peer, lab.port, rate="max", count=3000)
        traffic.start()
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] > 1000)
        traffic.close()
        yield engine.telemetry


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def save(telemetry: Telemetry, path: object) -> Saved:
    return telemetry.save_samples(path)  # type: ignore[arg-type]


@SAVE
@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("~no-such-user-here/x.", (ConfigurationError, "user that is not known")),
        ("n" * 300 + ".", (KernelError, "ENAMETOOLONG")),
        ("folder/" * 700 + "x.", (KernelError, "ENAMETOOLONG")),
        ("a\0b.", (ConfigurationError, "NUL")),
        ("missing/x.", (KernelError, "Make the folder first")),
        ("file/x.", (KernelError, "ENOTDIR")),
        ("folder.", (ConfigurationError, "no regular file")),
    ],
)
def test_a_name_that_can_not_be_is_refused_with_what_to_do(
    telemetry: Telemetry,
    tmp_path: Path,
    name: str,
    ending: str,
    refusal: tuple[type[XdplabError], str],
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / f"folder.{ending}").mkdir()
    before = names_in(tmp_path)
    path = name + ending if name.startswith("~") else f"{tmp_path}/{name}{ending}"
    with pytest.raises(refusal[0], match=refusal[1]):
        save(telemetry, path)
    assert names_in(tmp_path) == before


@SAVE
def test_the_longest_name_that_can_be_is_one(
    telemetry: Telemetry, tmp_path: Path, ending: str
) -> None:
    name = "n" * (254 - len(ending)) + f".{ending}"
    assert save(telemetry, tmp_path / name).path.name == name
    assert names_in(tmp_path) == [name]


@contextmanager
def files_of(size: int) -> Iterator[None]:
    """Limit how long files may get, as `ulimit -f` does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@SAVE
def test_a_file_above_the_limit_leaves_the_older_one(
    telemetry: Telemetry, tmp_path: Path, ending: str, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / f"x.{ending}"
    place.write_text("older")
    with (
        files_of(4096),
        pytest.raises(KernelError, match=r"EFBIG.*`ulimit -f unlimited`") as caught,
    ):
        save(telemetry, place)
    assert str(place) in str(caught.value)
    assert (names_in(tmp_path), place.read_text()) == ([place.name], "older")
    assert "Exception ignored" not in capfd.readouterr().err


@pytest.mark.privilege  # to mount
@SAVE
def test_a_full_disk_leaves_nothing(ending: str, tmp_path: Path) -> None:
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from xdplab import KernelError
from xdplab.core.files import whole_file
place = {str(tmp_path / "disk" / f"x.{ending}")!r}
try:
    with whole_file(place) as file:
        file.write(bytes(1 << 20))
except KernelError as error:
    assert "ENOSPC" in str(error) and place in str(error) and "Make room" in str(error), error
    print(os.listdir({str(tmp_path / "disk")!r}))
"""
    (tmp_path / "disk").mkdir()
    mounted = 'mount -t tmpfs -o size=64k tmpfs "$0" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mounted, tmp_path / "disk", sys.executable]
    done = subprocess.run(
        [*command, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_file_that_takes_the_place_of_an_older_one_says_so(
    telemetry: Telemetry, tmp_path: Path
) -> None:
    for name, kind in (("h.csv", telemetry.save_history), ("s.pcapng", telemetry.save_samples)):
        first, again = kind(tmp_path / name), kind(tmp_path / name)
        assert (first.replaced, again.replaced) == (False, True)
        assert str(first).endswith(str(tmp_path / name))
        assert str(again).endswith(f"{tmp_path / name}, in place of an older file")


@pytest.mark.parametrize("door", [whole_file, check_place])
def test_every_door_refuses_alike(door: Callable[[str], object]) -> None:
    def enter(path: str) -> None:
        opened = door(path)
        with opened:  # type: ignore[attr-defined]
            pass

    for path in ("~no-such-user-here/x.html", "a\0b.html", "/tmp/" + "n" * 300 + ".html"):
        with pytest.raises(XdplabError):
            enter(path)


def test_what_fails_for_a_reason_of_its_own_is_told_as_it_is(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_file(tmp_path / "x"):
            raise KernelError("read the rings", 5)

    with pytest.raises(KernelError, match="read the rings"):
        fail()
    assert names_in(tmp_path) == []
