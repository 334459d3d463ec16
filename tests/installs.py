"""Installs of xdplab other than the one that runs the tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1]


def run(
    *command: str | Path, folder: Path | None = None, environment: dict[str, str] | None = None
) -> str:
    """Run a command to its end and return what it printed; show all of it if it failed."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the tools of this virtual environment, once for all that share a run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("*.whl")):
            _build_wheel(folder)
    (built,) = folder.glob("*.whl")
    return built


def _build_wheel(folder: Path) -> None:
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    pip = (sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps")
    run(*pip, "--wheel-dir", folder, SOURCE, environment={**os.environ, "PATH": tools})


@pytest.fixture(scope="session")
def installed(wheel: Path) -> Iterator[Path]:
    """Install the wheel into a virtual environment of its own, with the packages of this one.

    Every user may read it, and only who runs the tests may write it. Yields its folder.
    """
    # Not pytest's own, into which nobody else may look.
    folder = Path(tempfile.mkdtemp(prefix="xdplab-installed-"))
    try:
        folder.chmod(0o755)
        venv.create(folder)
        (packages,) = folder.glob("lib/python3*/site-packages")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
        # A folder named by a .pth is searched, but the .pth files in it, by which the editable
        # xdplab would be found, are not read.
        (packages / "of-the-tests.pth").write_text(sysconfig.get_path("purelib"))
        command = folder / "bin" / "xdplab"
        command.write_text(
            f"#!{folder}/bin/python\n"
            "import sys\nfrom xdplab_command import main\nsys.exit(main())\n"
        )
        command.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)
