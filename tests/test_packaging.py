"""What leaves the source tree: the wheel, and an install that was broken off."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from support.installs import SOURCE, run


def test_the_wheel_holds_the_engine_the_xdp_programs_and_both_licences(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("xdplab/native/_engine") and name.endswith(".so") for name in names)
    programs = {Path(name).name for name in names if name.endswith(".bpf.o")}
    gallery = [*SOURCE.glob("bpf/gallery/*/*.bpf.c")]
    assert programs == {
        *(f"{source.stem}.o" for source in SOURCE.glob("bpf/*.bpf.c")),
        *(f"gallery_{source.stem}.o" for source in gallery),
    }
    readable = {name.removeprefix("xdplab/bpf/gallery/") for name in names}
    headers = SOURCE.glob("bpf/gallery/*.bpf.h")
    assert readable > {source.name for source in (*headers, *gallery)}
    assert "xdplab/py.typed" in names
    assert not [name for name in names if "harness" in name or "widgets_benchmark" in name]
    assert not [name for name in names if "__pycache__" in name]  # meson.build names the folders
    assert {name.partition("/licenses/")[2] for name in names} >= {"LICENSE", "bpf/LICENSE"}


@pytest.mark.privilege  # its wheel is built from the source tree
def test_a_wheel_in_an_empty_venv_captures_without_the_source_tree(
    wheel: Path, tmp_path: Path, privileged: None
) -> None:
    venv.create(tmp_path / "venv")
    programs = tmp_path / "venv" / "bin"
    # Without bytecode, which only takes time here.
    install = ("install", "--no-compile", "--disable-pip-version-check", wheel)
    run(sys.executable, "-m", "pip", "--python", programs / "python", *install)

    where = run(programs / "python", "-c", "import xdplab; print(xdplab.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")

    command = ("run", "--seconds", "1", "--traffic", "1000", "--json")
    report = json.loads(run(programs / "xdplab", *command, folder=tmp_path))
    assert report["rx_packets"] > 0
    assert not report["simulated"]
    assert report["balanced"]


def test_an_install_that_was_broken_off_is_begun_anew(tmp_path: Path) -> None:
    shutil.copytree(SOURCE / "scripts", tmp_path / "scripts")
    (tmp_path / "packages.txt").write_text("")
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["nowhere @ file:///nowhere"]'
    )
    half_installed = tmp_path / ".venv" / "half-installed"
    half_installed.parent.mkdir()
    half_installed.touch()
    setup = subprocess.run(tmp_path / "scripts" / "setup", capture_output=True, check=False)
    assert not half_installed.exists()
    assert setup.returncode != 0  # and this one, which finds no package called nowhere,
    assert not list(tmp_path.glob(".venv/.stamp*"))  # will be begun anew too
