"""The compiled engine and the layout of its memory; the only importer of the extension module."""

from xdplab.native._engine import ffi, lib

__all__ = ["ffi", "lib"]
