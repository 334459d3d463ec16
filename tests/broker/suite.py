"""The tests once more, for who has no privilege."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clients import SERVED
from installs import SOURCE

from xdplab.backends import VARIABLE

LONGEST_SECONDS = 3000

_READ = ("tests", "notebooks", "pyproject.toml")
# What looks at the browser, builds containers, or attacks the broker, does so once.
_ONCE = ("tests/browser", "tests/binder", "tests/broker")


@contextmanager
def _copied_for(user: int) -> Iterator[Path]:
    """Make a copy of the tests that belongs to a user."""
    place = Path(tempfile.mkdtemp(prefix="xdplab-nobody-"))
    try:
        for name in _READ:
            copy = shutil.copytree if (SOURCE / name).is_dir() else shutil.copy
            copy(SOURCE / name, place / name)
        (place / "tmp").mkdir()
        for folder, _, files in os.walk(place):
            for name in (".", *files):
                os.chown(Path(folder, name), user, SERVED)
        yield place
    finally:
        shutil.rmtree(place)


def check(installed: Path, user: int, backend: str, **variables: str) -> None:
    """Run every test that makes a lab, as a user without any capability, on a backend.

    Suites that run at once need a user each: the kernel counts locked memory by the user.
    """
    none = ("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
    alone = ("setpriv", f"--reuid={user}", f"--regid={SERVED}", "--clear-groups", *none)
    # -P: the folder that it runs in is not where xdplab is.
    tests = (installed / "bin" / "python", "-P", "-m", "pytest", "--backend", backend, "-q")
    at_once = ("--numprocesses", "2", "--dist", "loadfile")
    ignored = [f"--ignore={name}" for name in _ONCE]
    with _copied_for(user) as place:
        environment = {
            # Not what tells a process that it is a worker of this run.
            **{name: value for name, value in os.environ.items() if "PYTEST" not in name},
            VARIABLE: backend,
            "HOME": str(place),
            "TMPDIR": f"{place}/tmp",
            **variables,
        }

        def failed(*options: str) -> list[str]:
            done = subprocess.run(
                list(map(str, [*alone, *tests, *ignored, *options])),
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LONGEST_SECONDS,
                check=False,
            )
            sys.stdout.write(done.stdout)
            lines = done.stdout.splitlines()
            found = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
            return found or [f"pytest ended with {done.returncode}"] * (done.returncode != 0)

        if first := failed(*at_once):
            # Of a thousand tests, one may want a packet sooner than a busy machine has it.
            warnings.warn("\n".join(["failed at first:", *first]), stacklevel=2)
            assert not failed("--last-failed", "--last-failed-no-failures=none")
