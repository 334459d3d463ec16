"""Entry point of the command `xdplab`, outside of the package, which is slow to import."""

from __future__ import annotations

import os
import signal

_INTERRUPTED = 130  # 128 + SIGINT, as in a shell


def main() -> int:
    """Run the command; an interrupt (Ctrl-C) works from the start."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_INTERRUPTED))
    from xdplab.cli.cli import main as command  # noqa: PLC0415 - slow to import

    status = command()
    # All output and cleanup is done; an interrupt now would only disturb the interpreter's end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return status
