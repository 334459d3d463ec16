"""`vmlinux.h`: the types of the running kernel as C, written once and kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from xdplab.core.errors import KernelError
from xdplab.core.files import whole_file
from xdplab.native import lib

NAME = "vmlinux.h"
_GUARD = "XDPLAB_VMLINUX_H"


def kernel_types(spare: Path) -> Path:
    """Return a folder that has ``vmlinux.h``.

    Parameters
    ----------
    spare
        A folder to write it into where the user's cache can't be written to.

    Raises
    ------
    KernelError
        When the kernel does not tell its types.
    """
    # RuntimeError: this user has no home. A kernel without types is refused below once more.
    with suppress(OSError, RuntimeError):
        folder = _cache()
        if (folder / NAME).exists():
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        return _write(folder)
    return _write(spare)


def _cache() -> Path:
    """Return the folder of this kernel's: a build of another configuration has other types."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    told = os.uname()
    build = f"{told.release} {told.version} {told.machine}".encode()
    return Path(home).expanduser() / "xdplab" / f"types-{hashlib.sha256(build).hexdigest()[:16]}"


def _write(folder: Path) -> Path:
    types = _types()
    with whole_file(folder / NAME) as file:
        file.write(f"#ifndef {_GUARD}\n#define {_GUARD}\n".encode() + types + b"\n#endif\n")
    return folder


def _types() -> bytes:
    with tempfile.TemporaryFile() as file:
        if code := lib.xdplab_kernel_types(file.fileno()):
            remedy = (
                "Where the kernel has no BTF (/sys/kernel/btf/vmlinux), include the headers that "
                'you need in place of "vmlinux.h", such as <linux/bpf.h> and <linux/if_ether.h>.'
            )
            raise KernelError("read the kernel's types", -code, remedy)
        file.seek(0)
        return file.read()
