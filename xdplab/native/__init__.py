"""The compiled engine and what describes its memory; the only importer of the extension module."""

from xdplab.native._engine import ffi, lib

__all__ = ["ffi", "lib"]
