"""Output of a command to standard streams of any encoding, also closed or full ones."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from xdplab.core.errors import KernelError

if TYPE_CHECKING:
    from rich.console import Console

_REMEDIES = {
    errno.EPIPE: "The program that read it has ended.",
    errno.ENOSPC: "Make room, or write it to another disk.",
    errno.EFBIG: "Raise `ulimit -f`.",
    errno.EBADF: "It was closed: leave out `>&-`.",
}
_PLAIN = str.maketrans({"✗": "x", "→": "->", "µ": "u", "•": "*", "…": "...", "█": "#", "∞": "inf"})
_PLAIN |= dict(zip(map(ord, "▁▂▃▄▅▆▇"), "_.-=+*%", strict=True))  # lower bars of a graph
_ERRORS = "xdplab-plain"


def take_any_text() -> None:
    """Make standard output replace characters that its encoding lacks by similar ones.

    Latin-1 has no "✗", and ASCII no "µ".
    """
    codecs.register_error(_ERRORS, _plain)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_ERRORS)


def fitting(text: str) -> str:
    """Return text, with similar characters for those that standard output's encoding lacks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    codecs.register_error(_ERRORS, _plain)
    try:
        return text.encode(encoding, _ERRORS).decode(encoding)
    except (LookupError, TypeError):  # whatever stands for standard output has no such encoding
        return text


class _Page(io.StringIO):
    """Collects text laid out for standard output, without writing to that."""

    @property
    def encoding(self) -> str:  # type: ignore[override] # of StringIO it is None
        return getattr(sys.stdout, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        with suppress(ValueError, AttributeError):  # it is closed
            return sys.stdout.isatty()
        return False


def laid_out(write: Callable[[Console], object]) -> str:
    """Return what a function writes to a console of rich's, for the output that there is."""
    from rich.console import Console  # noqa: PLC0415 - slow to import

    page = _Page()
    write(Console(file=page))
    return page.getvalue().rstrip("\n")


def say(text: str) -> bool:
    """Write text to standard output; return whether that worked.

    Otherwise they go to standard error, with the reason: a full disk must not lose results that
    took long to measure.
    """
    try:
        if sys.stdout is None:  # as after `>&-`
            raise OSError(errno.EBADF, "")
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except (OSError, ValueError) as error:  # ValueError: of a file that was closed
        code = (error.errno if isinstance(error, OSError) else None) or errno.EBADF
        _drop(sys.stdout)
        refusal = KernelError("write to standard output", code, _REMEDIES.get(code, ""))
        complain(f"xdplab: {refusal}\n{text}")
        return False
    return True


def complain(text: str) -> None:
    """Write text to standard error, if that works."""
    if sys.stderr is not None:  # or print would write to standard output
        try:
            print(text, file=sys.stderr, flush=True)
        except (OSError, ValueError):
            _drop(sys.stderr)


def _drop(stream: TextIO | None) -> None:
    """Discard text that a stream did not take, or the interpreter tries it again at exit."""
    if stream is None:
        return
    with suppress(OSError, ValueError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        if nowhere != number:
            os.close(nowhere)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_PLAIN)
    plain = unicodedata.normalize("NFKD", lacking).encode("ascii", "replace").decode()
    return plain, error.end
