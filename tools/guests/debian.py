"""Packages of Debian's archive, unpacked into a folder; the system's own stay as they are.

apt is given a root of its own: its lists, its cache, and a system on which nothing is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from guests.errors import VirtualMachineError

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_DEFAULT_MIRROR = "https://deb.debian.org/debian"
_PATIENCE = 600  # seconds of one apt


class Archive:
    """Some suites of Debian's archive.

    Parameters
    ----------
    folder
        Where lists and packages are kept.
    suites
        The suites: packages are taken from the last, and what they need from any.
    """

    def __init__(self, folder: Path, *suites: str) -> None:
        self._folder, self._suites = folder, suites
        for each in ("lists/partial", "cache/archives/partial"):
            (folder / each).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        mirror = _mirror()
        (folder / "sources.list").write_text(
            "".join(f"deb [signed-by={_KEYRING}] {mirror} {suite} main\n" for suite in suites)
        )

    def unpack(self, into: Path, packages: Sequence[str], kept: str) -> None:
        """Unpack packages, and those that they need, into a folder.

        Parameters
        ----------
        into
            The folder, which is there only when all is in it.
        packages
            Their names.
        kept
            A pattern for the names of all that are unpacked.
        """
        self._apt("update")
        wanted = ("--target-release", self._suites[-1])
        needed = self._apt(
            *("--yes", "--no-install-recommends", "--print-uris", *wanted, "install", *packages)
        )
        names = [name for name in re.findall(r"' ([^_\s]+)_", needed) if re.fullmatch(kept, name)]
        making = into.with_name(f"{into.name}.partial")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as loaded:
            self._apt(*wanted, "download", *names, cwd=Path(loaded))
            for file in sorted(Path(loaded).glob("*.deb")):
                subprocess.run(["dpkg-deb", "--extract", file, making], check=True)
        shutil.rmtree(into, ignore_errors=True)
        making.rename(into)

    def _apt(self, *arguments: str, cwd: Path | None = None) -> str:
        places = {
            "Dir::Etc::SourceList": self._folder / "sources.list",
            "Dir::Etc::SourceParts": "/nonexistent",
            "Dir::State::Lists": self._folder / "lists",
            "Dir::State::status": self._folder / "status",
            "Dir::Cache": self._folder / "cache",
            "APT::Sandbox::User": "root",  # apt's own user may not enter a home
        }
        options = [word for name, place in places.items() for word in ("-o", f"{name}={place}")]
        done = _run(["apt-get", "--quiet=2", *options, *arguments], cwd)
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            raise VirtualMachineError(f"`apt-get {' '.join(arguments)}` failed: {said}")
        return done.stdout


def _mirror() -> str:
    """Return the mirror that this system uses for Debian's archive."""
    shown = "$(RELEASE) $(ORIGIN) $(REPO_URI)"
    said = _run(["apt-get", "indextargets", "--format", shown], None).stdout
    found = re.findall(r"^\S+ Debian (\S+/debian/)$", said, re.MULTILINE)
    return found[0] if found else _DEFAULT_MIRROR


def _run(command: list[str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except FileNotFoundError:
        raise VirtualMachineError(
            f"there is no `{command[0]}` here, which fetches kernels and QEMU from Debian's "
            "archive. It takes Debian or Ubuntu."
        ) from None
