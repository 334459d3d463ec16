"""Handlers in C, compiled where they are written, with the compiler's words under them."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from xdplab.core.calls import public_as, public_function
from xdplab.core.checks import shown, text
from xdplab.core.compiler import compile_in
from xdplab.core.errors import ConfigurationError, HandlerError
from xdplab.core.table import Table
from xdplab.core.text import si
from xdplab.handlers.functions import CTYPES_SIGNATURE
from xdplab.handlers.handler import Handler
from xdplab.handlers.signature import C_SIGNATURE, HEADER, INCLUDE

COMPILERS = ("cc", "gcc", "clang")
"""Looked for in this order."""

_FUNCTION = "handle"
_FLAGS = (
    *("-std=gnu11", "-O2", "-march=native", "-fPIC", "-shared", "-Wall", "-Wextra"),
    *("-Wno-unused-parameter", "-fdiagnostics-color=never", "-Wl,-z,defs"),
    *("-Werror=return-type", "-Werror=implicit-function-declaration"),
    *("-Werror=incompatible-pointer-types", "-Werror=int-conversion"),
)


@public_as(made="xdplab.c_handler(source)")
class CHandler(Handler):
    """A handler that was compiled from C, by `c_handler`."""

    def __init__(self, made: Compiled, state: Any, sends: bool, name: str) -> None:
        super().__init__(made.function, state=state, sends=sends, name=name)
        self.made_by = made.compiler
        """The compiler's path."""
        self.source = made.source
        """The C that it was compiled from."""
        self.size = made.size
        """Bytes of the shared object."""
        self.said = made.said
        """The compiler's warnings; empty without any."""

    def _rows(self) -> list[tuple[str, str]]:
        return [*super()._rows(), ("size", f"{si(self.size)}B")]

    def _table(self) -> Table:
        lines = [*self.source.strip("\n").splitlines(), *self.said.splitlines()]
        return Table(f"{type(self).__name__} {self.name}", self._rows(), lines=lines)


class Compiled:
    """A shared object with a handler, loaded.

    Its code stays loaded until the process ends: a few pages, which some worker may still be in.

    Parameters
    ----------
    source
        C.
    name
        Names the file in the compiler's words.
    """

    def __init__(self, source: str, name: str) -> None:
        self.source, self.compiler = source, _compiler()
        with tempfile.TemporaryDirectory(prefix="xdplab-") as folder:
            made = Path(folder, "handler.so")
            self.said = self._compile(Path(folder), made, f"{name}.c")
            self.size = made.stat().st_size
            self.function = _load(made, name)

    def _compile(self, folder: Path, made: Path, file: str) -> str:
        """Write the source and compile it; return the compiler's words.

        What includes the header and declares the function stands in a file of its own, so that
        lines are counted as in the source.
        """
        Path(folder, "before.h").write_text(f"#include <{HEADER}>\nxdplab_handler {_FUNCTION};\n")
        Path(folder, file).write_text(self.source)
        command = [self.compiler, *_FLAGS, "-I", str(INCLUDE), "-include", "before.h", file]
        done = compile_in(folder, [*command, "-o", str(made)])
        if done.failed:
            raise HandlerError(f"{file} does not compile. {self.compiler} said:\n{done.said}")
        return done.said


@public_function
def c_handler(
    source: str, *, state: Any = None, sends: bool = True, name: str = "handler"
) -> CHandler:
    """Compile a handler from C, and load it.

    Parameters
    ----------
    source
        C with a function ``uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void
        *state)``, which returns ``XDPLAB_DROP``, ``XDPLAB_SEND_BACK``, ``XDPLAB_FORWARD`` or
        ``XDPLAB_DELIVER``. ``xdplab_handler.h`` is included already.
    state
        A numpy array, or other memory that can be written to, which it shares with Python.
    sends
        Whether it may send packets, as for `Handler`.
    name
        Its name, where it is shown.

    Returns
    -------
    CHandler
        For ``engine.handler = ...``.

    Raises
    ------
    HandlerError
        With the compiler's words, when it does not compile; or without a compiler.
    ConfigurationError
        When the state is no such memory.
    """
    code, called = text("source", source), text("name", name)
    if not called.isprintable() or not called.strip() or "/" in called or len(called) > 40:
        raise ConfigurationError(
            f"name={shown(name)} must be a name of at most 40 characters, without a slash."
        )
    return CHandler(Compiled(code, called), state, sends, called)


def _compiler() -> str:
    for name in COMPILERS:
        if found := shutil.which(name):
            return found
    raise HandlerError(
        f"a handler in C takes a compiler, and there is none ({', '.join(COMPILERS)}): "
        "`sudo apt-get install gcc libc6-dev`."
    )


def _load(made: Path, name: str) -> Any:
    try:
        library = ctypes.CDLL(str(made), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        raise HandlerError(
            f"{name}.c was compiled, and can't be loaded: {error}. If programs may not be run in "
            f"{made.parent.parent}, name another folder: TMPDIR=~/tmp"
        ) from None
    try:
        address = ctypes.cast(getattr(library, _FUNCTION), ctypes.c_void_p).value or 0
    except AttributeError:
        raise HandlerError(
            f"{name}.c has no function `{_FUNCTION}`. Write: "
            f"{C_SIGNATURE} {{ return XDPLAB_DROP; }}"
        ) from None
    return CTYPES_SIGNATURE(address)
