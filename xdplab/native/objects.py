"""The compiled XDP programs that come with the package."""

from __future__ import annotations

from importlib.resources import as_file, files

from xdplab.native import ffi


def program_path(name: str) -> bytes:
    """Find a compiled program of ``bpf/``, in a wheel or an editable install.

    Parameters
    ----------
    name
        Such as ``capture`` for ``bpf/capture.bpf.c``.

    Returns
    -------
    bytes
        Its path, for the native engine.
    """
    with as_file(files("xdplab") / "bpf" / f"{name}.bpf.o") as path:
        return bytes(path)


def c_path(name: str) -> object:
    """Put the program's path into memory that C can read, for as long as the result is held."""
    return ffi.new("char[]", program_path(name))
