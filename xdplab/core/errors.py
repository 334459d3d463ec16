"""The one exception tree of xdplab.

Every message names what was tried, what the kernel said (the errno by name) and what to do.
"""

from __future__ import annotations

import errno
import html
import os
from collections.abc import Sequence
from typing import Any, Self

from xdplab.core.folded import show_folded
from xdplab.core.short_traceback import rendered
from xdplab.core.source_lines import SourceLine

# Where two names share a number, the kernel's documentation uses this one.
_NAMES = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP", errno.EAGAIN: "EAGAIN"}

# Lines as they are, since some quote indented ones, and broken between words.
_SHOWN = (
    "color: var(--jp-ui-font-color1, inherit); font-size: 13px; line-height: 1.45; "
    "max-width: 60em; white-space: pre-wrap; overflow-wrap: break-word"
)


class XdplabError(Exception):
    """Base of every exception that xdplab raises on purpose.

    One that was kept shows its name and its message as the value of a notebook's cell.
    """

    results: object = None
    """The results of an experiment that this ended: of `tune` a `Tuning`."""
    shown_lines: Sequence[str] = ()
    """Lines that IPython shows in place of those of Python: of a cell in another language."""
    _shown_in: object = None

    def _render_traceback_(self) -> list[str]:
        """Return the user's own lines and the message, for IPython."""
        lines, self._shown_in = rendered(self, self._shown_in, self.shown_lines)
        return lines

    # For one that was kept, and is the value of a cell.

    def _repr_html_(self) -> str:
        name = f'<span style="font-weight: 600">{type(self).__name__}</span>'
        return f'<div style="{_SHOWN}">{name}: {html.escape(str(self))}</div>'

    def _repr_pretty_(self, printer: Any, _in_a_circle: bool) -> None:
        printer.text(f"{type(self).__name__}: {self}")


class ConfigurationError(XdplabError, ValueError):
    """The user gave a value that can't work; nothing was changed."""


class WrongCallError(ConfigurationError, TypeError):
    """The user gave too few or too many arguments, one by a wrong name, or one of a wrong type."""


class CompileError(ConfigurationError):
    """The source of an XDP program does not compile.

    Attributes
    ----------
    said
        The compiler's words.
    where
        The line of the first error: `file`, `line` and `text`; None where it names none.
    """

    def __init__(self, message: str, said: str = "", where: SourceLine | None = None) -> None:
        self.said, self.where = said, where
        super().__init__(message)


class KernelError(XdplabError, OSError):
    """The kernel refused an operation.

    Parameters
    ----------
    tried
        What was attempted, as a phrase: "bind an AF_XDP socket to port0 queue 0".
    code
        The positive errno that the kernel returned.
    remedy
        What the user can do about it.
    """

    def __init__(self, tried: str, code: int, remedy: str = "") -> None:
        name = _NAMES.get(code, str(code))
        self.tried = tried
        self.remedy = remedy
        message = f"could not {tried}: the kernel said {name} ({os.strerror(code)})"
        super().__init__(code, f"{message}. {remedy}" if remedy else message)

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> tuple[type[Self], tuple[str, int, str], dict[str, object]]:
        """Be the same error in another process."""
        return type(self), (self.tried, self.errno or 0, self.remedy), self.__dict__


class VerifierError(KernelError):
    """The kernel's verifier refuses an XDP program.

    Attributes
    ----------
    reason
        The verifier's words.
    hint
        What usually helps; empty where that is not known.
    where
        The line of the source that the refused instruction comes from: `file`, `line` and `text`;
        None where the object file does not tell, as without ``clang -g``.
    log
        The verifier's log, as much of its end as 16 KiB hold.
    """

    reason = hint = log = ""
    where: SourceLine | None = None

    def _render_traceback_(self) -> list[str]:
        if self._shown_in is None:  # IPython asks more than once
            show_folded("The verifier's log", self.log)
        return super()._render_traceback_()


class PermissionRefusedError(KernelError, PermissionError):
    """The process lacks a capability that the operation needs."""


class QueueBusyError(KernelError):
    """Another AF_XDP socket or XDP program already holds this queue or interface."""


class InterfaceGoneError(KernelError):
    """The interface disappeared or was never there."""


class HandlerError(XdplabError):
    """A handler can't be compiled or loaded, or does not return."""


class TelemetryError(XdplabError):
    """A telemetry region has values that no engine can have written, or lacks some it promises."""


class MissingKeyError(XdplabError, KeyError):
    """There is nothing of such a key: in a map of an XDP program, or in a table of names."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class ClosedError(XdplabError):
    """The lab, engine or traffic was used after it was closed."""
