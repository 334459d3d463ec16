"""Runs commands in a root folder of their own, as docker would."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

DOCKER_CAPABILITIES = (
    *("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"),
    *("net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap"),
)
"""What docker gives to a container's root (moby's oci/caps/defaults.go)."""

# All of it ends with the mount namespace. /dev is the machine's: what is in it asks for privilege.
_MOUNT = """
set -e
root=$1 layers=$2 folder=$3
shift 3
mount --make-rprivate /
if [ "$layers" ]; then mount -t overlay -o "$layers" overlay "$root"; fi
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root${2%/*}"; : >>"$root$2"; fi
    mount --bind "$1" "$root$2"
    mount -o "remount,bind,$3" "$root$2"
    shift 3
done
shift
[ ! "$ALONE" ] || ip link set lo up
cd "$root"
exec env -u ALONE chroot . /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""


@dataclass(frozen=True)
class Container:
    """A root folder, and what a command finds in it."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    below: Path | None = None
    """A root folder to lay this one's changes over, which stays as it is; `root` then also has the
    folders ``changes`` and ``work``."""

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        shown: Mapping[Path, str] | None = None,
        written: Mapping[Path, str] | None = None,
        network: bool = False,
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; whatever it started ends with it.

        Parameters
        ----------
        command
            Run by the container's root with all capabilities: begin with `as_docker_user`'s words
            for less.
        environment
            Variables beside the container's.
        shown
            Files and folders of this machine, and where the command finds them, to read.
        written
            The same, to write to.
        network
            Whether it has this machine's network instead of a loopback interface alone.
        timeout
            Seconds.
        """
        root, layers = self.root, ""
        if self.below is not None:
            root = self.root / "merged"
            for each in ("merged", "changes", "work"):
                (self.root / each).mkdir(exist_ok=True)
            layers = f"lowerdir={self.below},upperdir={self.root}/changes,workdir={self.root}/work"
        namespaces = ["--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        places = [
            part
            for mapping, mode in ((shown, "ro"), (written, "rw"))
            for here, there in (mapping or {}).items()
            for part in (str(here.resolve()), there, mode)
        ]
        script = ("bash", "-c", _MOUNT, "container", str(root), layers, self.folder, *places)
        variables = {**self.environment, **(environment or {})}
        return subprocess.run(
            ["unshare", *namespaces, *script, "--", *command],
            env={"PATH": os.environ["PATH"], **variables, "ALONE": "" if network else "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


def refusing(added: bool = False) -> list[str]:
    """Return what to put before a command that is to have docker's seccomp filter.

    Parameters
    ----------
    added
        Whether the container was given CAP_SYS_ADMIN, for which docker allows more.
    """
    source = (Path(__file__).parent / "docker_seccomp.py").read_text()
    return ["python3", "-c", source, *(["--sys-admin"] if added else [])]


def as_user(uid: int) -> list[str]:
    """Return what to put before a command of a user without any capability, nor a way to one."""
    number = str(uid)
    none = ("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
    return ["setpriv", "--reuid", number, "--regid", number, "--clear-groups", *none]


def as_docker_root(*added: str) -> list[str]:
    """Return what to put before a command of docker's root, with capabilities added."""
    kept = ",".join(f"+{each}" for each in sorted({*DOCKER_CAPABILITIES, *added}))
    return ["setpriv", f"--bounding-set=-all,{kept}", "--inh-caps=-all"]
