"""Progress of things that run in turn: a protocol, and bars for notebooks and terminals.

The bars are drawn between the things only: meanwhile, that would take time from measured cores.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Progress(Protocol):
    """Shows how far things that run in turn have come."""

    def begin(self, label: str) -> None:
        """Show which thing begins."""

    def end(self) -> None:
        """Count it as done."""


class Silent:
    """Shows nothing."""

    def begin(self, label: str) -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""


@contextmanager
def bar(
    total: int, *, done: int = 0, title: str | None = None, stays: bool = True, wanted: bool = True
) -> Iterator[Progress]:
    """Draw a bar with tqdm: a widget in a notebook, else text on standard error.

    Parameters
    ----------
    total, done
        Number of things, and of those that are done already.
    title
        Words in front of the bar.
    stays
        Whether the bar stays at the end.
    wanted
        Whether to draw it, if tqdm is installed.
    """
    tqdm: Any = _tqdm() if wanted else None
    if tqdm is None:
        yield Silent()
        return
    with tqdm(
        total=total, initial=done, desc=title, unit="run", leave=stays, file=sys.stderr
    ) as drawn:
        yield _Bar(drawn)
        drawn.set_postfix_str("", refresh=False)


class _Bar:
    def __init__(self, drawn: Any) -> None:
        self._drawn = drawn

    def begin(self, label: str) -> None:
        self._drawn.set_postfix_str(label)

    def end(self) -> None:
        self._drawn.update()


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 - only if a bar is wanted
    except ImportError:
        return None
    return tqdm


@contextmanager
def terminal_bar(total: int, title: str, *, wanted: bool = True) -> Iterator[Progress]:
    """Draw a bar of a command on standard error, if that is a terminal.

    Parameters
    ----------
    total
        Number of things.
    title
        Words in front of the label.
    wanted
        Whether to draw it.
    """
    if not (wanted and sys.stderr.isatty()):
        yield Silent()
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import Progress as Drawn  # noqa: PLC0415

    with Drawn(console=Console(stderr=True), auto_refresh=False, transient=True) as drawn:
        yield _TerminalBar(drawn, drawn.add_task(title, total=total), title)


class _TerminalBar:
    def __init__(self, drawn: Any, task: Any, title: str) -> None:
        self._drawn, self._task, self._title = drawn, task, title

    def begin(self, label: str) -> None:
        self._drawn.update(self._task, description=f"{self._title}: {label}", refresh=True)

    def end(self) -> None:
        self._drawn.advance(self._task)
