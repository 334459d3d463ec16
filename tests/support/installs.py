"""Installs of xdplab other than the one that runs the tests.

There is one wheel and one install of it for all processes that share a run, in a folder that the
environment names.
"""

from __future__ import annotations

import compileall
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
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2]
# scripts/test sets it, so that all its runs of pytest share the folder.
_VARIABLE = "XDPLAB_TEST_INSTALLS"


def run(
    *command: str | Path, folder: Path | None = None, environment: dict[str, str] | None = None
) -> str:
    """Run a command to its end and return what it printed; show all of it if it failed."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def folder_of_installs() -> Iterator[None]:
    """Name a folder to all processes started in the block, and remove it after the block.

    Where the environment names one already, it stays the one.
    """
    if _VARIABLE in os.environ:
        yield
        return
    os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="xdplab-installs-")
    try:
        yield
    finally:
        shutil.rmtree(os.environ.pop(_VARIABLE))


@contextmanager
def _locked() -> Iterator[Path]:
    folder = Path(os.environ[_VARIABLE])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def build_wheel() -> Path:
    """Build the wheel with the tools of this virtual environment, once a run; return its path."""
    with _locked() as folder:
        if not list(folder.glob("*.whl")):
            tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            pip = (sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps")
            command = (*pip, "--wheel-dir", folder, SOURCE)
            run(*command, environment={**os.environ, "PATH": tools})
    (built,) = folder.glob("*.whl")
    return built


def install() -> Path:
    """Install the wheel into a virtual environment, with the packages of this one, once a run.

    Every user may read it, and only who runs the tests may write it. Returns its folder.
    """
    wheel = build_wheel()
    with _locked() as shared:
        folder = shared / "installed"
        command = folder / "bin" / "xdplab"
        if not command.exists():
            shared.chmod(0o755)
            venv.create(folder, clear=True)
            (packages,) = folder.glob("lib/python3*/site-packages")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)
            # Once, as pip does: the users that run it may not write it.
            compileall.compile_dir(packages, quiet=1)
            # A folder named by a .pth is searched, but the .pth files in it, by which the editable
            # xdplab would be found, are not read.
            (packages / "of-the-tests.pth").write_text(sysconfig.get_path("purelib"))
            command.write_text(
                f"#!{folder}/bin/python\n"
                "import sys\nfrom xdplab_command import main\nsys.exit(main())\n"
            )
            command.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def wheel() -> Path:
    return build_wheel()


@pytest.fixture(scope="session")
def installed() -> Path:
    return install()
