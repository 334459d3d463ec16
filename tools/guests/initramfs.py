"""A guest's initramfs: busybox, the modules that its root takes, and what it runs first."""

from __future__ import annotations

import lzma
import shutil
import subprocess
import tempfile
from pathlib import Path

from guests.store import KernelFiles, Store

_FOR_ROOT = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_APPLETS = (*("sh", "mount", "umount", "insmod", "mkdir", "cat", "echo", "uname", "switch_root"),)
_INIT = Path(__file__).with_name("init.sh")


def write_initramfs(store: Store, kernel: KernelFiles, into: Path) -> None:
    """Write a guest's initramfs into a file."""
    busybox = store.tools / "bin" / "busybox"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("bin", "proc", "sys", "dev", "modules"):
            (folder / each).mkdir()
        shutil.copy2(busybox, folder / "bin" / "busybox")
        for applet in _APPLETS:
            (folder / "bin" / applet).symlink_to("busybox")
        shutil.copy2(_INIT, folder / "init")
        (folder / "init").chmod(0o755)
        order = _in_order(kernel.modules)
        for module in order:
            (folder / "modules" / _plain(module)).write_bytes(_unpacked(kernel.modules / module))
        (folder / "modules" / "order").write_text("\n".join(map(_plain, order)) + "\n")
        files = "\n".join(str(each.relative_to(folder)) for each in folder.rglob("*"))
        made = subprocess.run(
            [busybox, "cpio", "-o", "-H", "newc"],
            input=files.encode(),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    into.write_bytes(made.stdout)


def _in_order(modules: Path) -> list[str]:
    """Return the modules that a guest's root takes, each after those that it needs."""
    needed: dict[str, list[str]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        module, _, others = line.partition(":")
        needed[_plain(module).removesuffix(".ko")] = [module, *others.split()]
    # One that is not there is built into the kernel.
    ordered = [each for name in _FOR_ROOT for each in reversed(needed.get(name, []))]
    return list(dict.fromkeys(ordered))


def _plain(module: str) -> str:
    return Path(module).name.removesuffix(".xz")


def _unpacked(module: Path) -> bytes:
    data = module.read_bytes()
    return lzma.decompress(data) if module.suffix == ".xz" else data
