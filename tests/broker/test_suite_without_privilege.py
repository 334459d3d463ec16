"""The tests once more, for who has no privilege: simulated, and through a broker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from installs import SOURCE

from xdplab.backends import VARIABLE

_NOBODY = 65534
_READ = ("tests", "notebooks", "pyproject.toml")
# What looks at the browser, builds containers, or attacks the broker, does so once.
_ONCE = ("tests/browser", "tests/binder", "tests/broker")
_LONGEST_SECONDS = 3000


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """Yield a copy of the tests that belongs to a user without any privilege."""
    place = Path(tempfile.mkdtemp(prefix="xdplab-nobody-"))
    try:
        for name in _READ:
            copy = shutil.copytree if (SOURCE / name).is_dir() else shutil.copy
            copy(SOURCE / name, place / name)
        (place / "tmp").mkdir()
        for folder, _, files in os.walk(place):
            for name in (".", *files):
                os.chown(Path(folder, name), _NOBODY, _NOBODY)
        yield place
    finally:
        shutil.rmtree(place)


@pytest.mark.privilege
@pytest.mark.timeout(_LONGEST_SECONDS + 100)
@pytest.mark.parametrize("backend", ["soft", "broker"])
def test_every_test_that_makes_a_lab_passes_without_any_capability(
    backend: str, installed: Path, nobodys: Path, request: pytest.FixtureRequest
) -> None:
    environment = {
        **os.environ,
        VARIABLE: backend,
        "HOME": str(nobodys),
        "TMPDIR": f"{nobodys}/tmp",
    }
    if backend == "broker":
        environment["XDPLAB_BROKER"] = request.getfixturevalue("running_broker").socket
    none = ("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
    alone = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *none)
    # -P: the folder that it runs in is not where xdplab is.
    tests = (installed / "bin" / "python", "-P", "-m", "pytest", "--backend", backend, "-q")
    ignored = [f"--ignore={name}" for name in _ONCE]

    def run(*options: str) -> list[str]:
        """Return what failed."""
        done = subprocess.run(
            list(map(str, [*alone, *tests, *ignored, *options])),
            cwd=nobodys,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        sys.stdout.write(done.stdout)
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return failed or [f"pytest ended with {done.returncode}"] * (done.returncode != 0)

    if failed := run():
        # Of a thousand tests, one may want a packet sooner than a busy machine has it.
        warnings.warn("\n".join(["failed at first:", *failed]), stacklevel=1)
        assert not run("--last-failed", "--last-failed-no-failures=none")
