"""Lets Ctrl-C end the command `xdplab` at once, and without a traceback, while it is being built.

scripts/setup copies it into the install, where Python runs it at each start. An editable install is
built by each import, before any code of the command runs. The command takes over from there.
"""

import os
import signal
import sys
from pathlib import Path

_INTERRUPTED = 130  # 128 + SIGINT, as in a shell

# sys.argv is not set yet.
is_the_command = any(Path(word).name == "xdplab" for word in sys.orig_argv[1:2])
if is_the_command and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_INTERRUPTED))
