"""Run the tests once more as a user without any capability: on the soft NIC, or through a broker.

without_privilege.py BACKEND [what pytest is to be told]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.brokers import running
from support.clients import SERVED
from support.installs import SOURCE, folder_of_installs, install
from xdplab.backends import VARIABLE

_READ = ("tests", "notebooks", "pyproject.toml")
# What looks at the browser, builds containers, or attacks the broker, does so once.
_ONCE = ("tests/browser", "tests/binder", "tests/broker")
_USER = 65533


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


def main(backend: str, *options: str) -> int:
    """Return the status that pytest ended with."""
    if os.geteuid() != 0:
        print("left out, as it takes root to become a user without capabilities")
        return int(os.environ.get("CI") == "true")
    with ExitStack() as stack:
        stack.enter_context(folder_of_installs())
        installed = install()
        place = stack.enter_context(_copied_for(_USER))
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            VARIABLE: backend,
            "HOME": str(place),
            "TMPDIR": f"{place}/tmp",
        }
        if backend == "broker":
            environment["XDPLAB_BROKER"] = stack.enter_context(running(installed)).socket
        none = ("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
        user = ("setpriv", f"--reuid={_USER}", f"--regid={SERVED}", "--clear-groups", *none)
        # -P: the folder that it runs in is not where xdplab is.
        tests = (installed / "bin" / "python", "-P", "-m", "pytest", "--backend", backend)
        ignored = [f"--ignore={name}" for name in _ONCE]
        # pytest doesn't ignore a file that it was told by name.
        asked = [option for option in options if not option.startswith(_ONCE)]
        return subprocess.run(
            list(map(str, [*user, *tests, *ignored, *asked])),
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
