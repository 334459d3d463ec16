"""Where the command `xdplab` begins: outside of the package, which takes a while to import."""

from __future__ import annotations

import os
import signal

_INTERRUPTED = 130  # 128 + SIGINT, as a shell has it


def main() -> int:
    """Run the command, which can be interrupted (Ctrl-C) from the beginning."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_INTERRUPTED))
    from xdplab.cli.cli import main as command  # noqa: PLC0415 - which is what takes a while

    status = command()
    # All was said and given back, and an interrupt would only disturb how the interpreter ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return status
