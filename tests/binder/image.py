"""Builds what the Dockerfile says, without docker: a Debian root made by debootstrap."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from container import Container
from dockerfile import Instruction, read_dockerfile

SOURCE = Path(__file__).parents[2]
DOCKERFILE = SOURCE / "binder" / "Dockerfile"
CACHE = SOURCE / "build" / "binder"

_SUITE = "bookworm"
_PIP_CACHE = "/var/cache/pip"


class Image:
    """The image, and the folder in which it is made.

    As docker does, what stands up to the first RUN is kept for the next time, unless it changes.

    Parameters
    ----------
    folder
        For what is made anew each time.
    """

    def __init__(self, folder: Path) -> None:
        self.variables: dict[str, str] = {"PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"}
        self.command: list[str] = []
        self.user = ""
        self._place = "/"
        instructions = read_dockerfile(DOCKERFILE)
        first = next(n for n, each in enumerate(instructions) if each.name == "RUN") + 1
        below = self._kept(instructions[:first])
        self._target = Container(folder, below=below)
        (folder / "changes").mkdir()
        for each in instructions[first:]:
            self._follow(each)

    @property
    def container(self) -> Container:
        """What docker would start."""
        return Container(self._target.root, self._environment, self._place, self._target.below)

    def _kept(self, instructions: list[Instruction]) -> Path:
        """Make what the first instructions say, unless it is there; return its root folder."""
        digest = hashlib.sha256("\n".join(map(" ".join, instructions)).encode())
        for each in instructions:
            if each.name == "COPY":
                for name in each.rest.split()[:-1]:
                    digest.update((SOURCE / name).read_bytes())
        root = CACHE / digest.hexdigest()[:16]
        there = root.exists()
        if there:
            self._target = Container(root)
        else:
            for old in CACHE.glob("*"):
                if old.name != "pip":
                    shutil.rmtree(old)
            CACHE.mkdir(parents=True, exist_ok=True)
            # Until it is whole.
            self._target = Container(CACHE / "unfinished")
        for each in instructions:
            if not there or each.name not in ("FROM", "COPY", "RUN"):
                self._follow(each)
        if not there:
            self._target.root.rename(root)
        return root

    def _follow(self, instruction: Instruction) -> None:
        words = instruction.words(self.variables)
        match instruction.name:
            case "FROM":
                debootstrap(self._target.root)
            case "ARG":
                name, _, value = words[0].partition("=")
                self.variables[name] = value
            case "ENV":
                self.variables.update(word.split("=", 1) for word in words)  # type: ignore[misc]
            case "WORKDIR":
                self._place = words[0]
                self._inside(self._place).mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(words)
            case "RUN":
                self._run(words)
            case "USER":
                self.user = words[0]
            case "CMD":
                self.command = words
            case name:
                raise ValueError(f"{DOCKERFILE} has {name}, of which nothing is known here")

    @property
    def _environment(self) -> dict[str, str]:
        return dict(self.variables)

    def _inside(self, place: str) -> Path:
        """Return where a place of the image is, to write to."""
        root = self._target.root
        return (root if self._target.below is None else root / "changes") / place.lstrip("/")

    def _copy(self, words: list[str]) -> None:
        owner = None
        if words[0].startswith("--chown="):
            owner = tuple(map(int, words.pop(0).removeprefix("--chown=").split(":")))
        *names, target = words
        place = self._inside(str(Path(self._place, target)))
        for name in names:
            if name == ".":
                shutil.copytree(SOURCE, place, ignore=_ignored, dirs_exist_ok=True, symlinks=True)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(SOURCE / name, place)
        if owner is not None:
            for path in (place, *place.rglob("*")):
                os.chown(path, *owner, follow_symlinks=False)

    def _run(self, words: list[str]) -> None:
        inside = Container(self._target.root, self._environment, self._place, self._target.below)
        (CACHE / "pip").mkdir(exist_ok=True)
        variables, places = pip_settings()
        done = inside.run(
            words,
            {**variables, "PIP_CACHE_DIR": _PIP_CACHE, "PIP_NO_CACHE_DIR": "0"},
            shown={Path("/etc/resolv.conf"): "/etc/resolv.conf", **places},
            written={CACHE / "pip": _PIP_CACHE},
            network=True,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


def debootstrap(root: Path) -> None:
    """Make a bare Debian, from where this machine has its packages."""
    apt = ("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)")
    said = subprocess.run(apt, capture_output=True, text=True, check=True).stdout
    (mirror, *_) = [uri for name, uri in map(str.split, said.splitlines()) if name == _SUITE] or [
        ""
    ]
    command = ["debootstrap", "--variant=minbase", _SUITE, str(root), *([mirror] if mirror else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    settings = subprocess.run(("apt-config", "dump"), capture_output=True, text=True, check=True)
    lines = [each for each in settings.stdout.splitlines() if each.startswith("Acquire::")]
    (root / "etc/apt/apt.conf.d/90machine").write_text("\n".join(lines) + "\n")


def pip_settings() -> tuple[dict[str, str], dict[Path, str]]:
    """Return the settings that pip has on this machine, for a container.

    Returns
    -------
    dict, dict
        Them as pip's variables; and the files and folders that they name, with where the
        container must have them. Not where they are here: what is installed may bring its own.
    """
    command = (sys.executable, "-m", "pip", "config", "list")
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    variables, places = {}, {}
    for key, _, value in (line.partition("=") for line in listed.splitlines()):
        words = []
        for word in value.strip("'\"").split():
            path = Path(word.removeprefix("file://"))
            if path.is_absolute() and path.exists():
                # The pages of an index in a folder link to files beside that.
                shown = path.parent if word.startswith("file://") else path
                places[shown] = f"/machine{shown}"
                words.append(word.replace(str(path), f"/machine{path}"))
            else:
                words.append(word)
        name = key.rpartition(".")[2].upper().replace("-", "_")
        variables[f"PIP_{name}"] = " ".join(words)
    return variables, places


def _ignored(folder: str, names: list[str]) -> set[str]:
    patterns = [
        line for line in (SOURCE / ".dockerignore").read_text().splitlines() if line[:1] not in "#"
    ]
    at_top = Path(folder) == SOURCE
    return {
        name
        for name in names
        for pattern in patterns
        if (at_top or pattern.startswith("**/"))
        and fnmatch.fnmatch(name, pattern.removeprefix("**/"))
    }
