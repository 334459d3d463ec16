"""QEMU and kernels, fetched once and kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from guests.debian import Archive
from guests.errors import VirtualMachineError
from guests.lists import KERNELS

# QEMU comes with all libraries but the C library's, so that it runs beside another system's.
_TOOLS = ("qemu-system-x86", "busybox-static", "kmod")
_NOT_NEEDED = r"(?!libc6$|libgcc|gcc-|perl|debconf|adduser|passwd|libpam).*"
_TOOLS_FROM = ("bookworm", "bookworm-backports")  # which has an igb
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")


class KernelFiles(NamedTuple):
    """Files of a kernel."""

    image: Path
    modules: Path
    """The folder of its modules, whose name is its release."""


class Store:
    """The folder in which QEMU and kernels are kept.

    Parameters
    ----------
    folder
        By default ``xdplab/vm`` in the user's cache.
    """

    def __init__(self, folder: Path | None = None) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.folder = folder or cache / "xdplab" / "vm"
        """Where they are kept."""

    @property
    def tools(self) -> Path:
        """The folder with QEMU, busybox and kmod."""
        return self._kept("tools", _TOOLS_FROM, _TOOLS, _NOT_NEEDED)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of these programs."""
        found = os.pathsep.join(str(self.tools / each) for each in _LIBRARIES)
        return {**os.environ, "LD_LIBRARY_PATH": found}

    def kernel(self, name: str) -> KernelFiles:
        """Return the files of a kernel of the list.

        Raises
        ------
        VirtualMachineError
            When it can't be had.
        """
        try:
            folder = self._kept(
                f"kernel-{name}",
                KERNELS[name].suites,
                ("linux-image-amd64",),
                r"linux-(image|binary|modules)-\d.*",
            )
        except VirtualMachineError as error:
            raise VirtualMachineError(f"kernel {name} can't be had: {error}") from error
        (modules,) = (*folder.glob("lib/modules/*"), *folder.glob("usr/lib/modules/*"))
        images = [*folder.glob("boot/vmlinuz-*"), *modules.glob("vmlinuz")]
        if not (modules / "modules.dep").exists():
            self._run("depmod", "-b", str(modules.parents[2]), modules.name)
        return KernelFiles(images[0], modules)

    def _kept(
        self, name: str, suites: tuple[str, ...], packages: tuple[str, ...], kept: str
    ) -> Path:
        folder = self.folder / name
        if not folder.exists():
            print(f"xdplab: fetching {', '.join(packages)} of Debian's {suites[-1]}", flush=True)
            Archive(self.folder / "apt" / suites[-1], *suites).unpack(folder, packages, kept)
        return folder

    def _run(self, tool: str, *arguments: str) -> None:
        subprocess.run(
            [tool, *arguments],
            executable=self.tools / "bin" / "kmod",
            env=self.environment,
            check=True,
            stderr=subprocess.DEVNULL,  # that files are missing of which a guest has no need
        )
