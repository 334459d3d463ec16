"""Jupyter kernels forked from a process that has imported what every one of them imports.

A kernel needs two seconds of a core for its imports, and one more for what Bokeh and matplotlib do
before their first figure; a fork of one that has had them, none. Each is a process of its own
nonetheless, as young as if Jupyter had started it. Jupyter starts `_stand_in`, which asks for a
fork, passes signals on, and lives as long as the kernel does::

    Jupyter ── starts ──▶ _stand_in ── asks, over a socket ──▶ _serve ── forks ──▶ kernel
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Seconds between two updates of a page. With 0.1, drawing takes most of a core; kernels that are no
# forks keep to that: those of a test in Notebook 7 and of the widgets' benchmark.
_INTERVAL = 0.8
_LONGEST = 1 << 20  # bytes of a request: arguments, folder and environment


@contextmanager
def forked_kernels(folder: Path) -> Iterator[Path]:
    """Start the process that forks; yield a folder for JUPYTER_PATH, whose kernel is its forks."""
    address = folder / "forks"
    argv = [sys.executable, "-I", "-S", __file__, str(address), "{connection_file}"]
    kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
    place = folder / "kernels" / "python3" / "kernel.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(kernel))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(address))
        listener.listen()
        # Like its forks, it ends with this process, in any case.
        command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, __file__]
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [*command, str(descriptor)], stdin=subprocess.DEVNULL, pass_fds=[descriptor]
        )
    try:
        yield folder
    finally:
        process.kill()
        process.wait()


def _stand_in(address: str, connection_file: str) -> None:
    """Ask for a kernel, and be to Jupyter what the kernel would be."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as fork:
        fork.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        fork.connect(address)
        request = json.dumps([connection_file, str(Path.cwd()), dict(os.environ)])
        socket.send_fds(fork, [request.encode()], [1, 2])
        kernel = int(fork.recv(16))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: _pass_on(kernel, number))
        fork.recv(1)  # returns when the kernel has ended


def _pass_on(kernel: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(kernel, number)


def _serve(listener: socket.socket) -> None:
    _import_everything()
    while True:
        fork, _ = listener.accept()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            listener.close()
            _be_kernel(fork)
        fork.close()


def _import_everything() -> None:
    import gc

    import ipykernel.kernelapp
    import numpy as np
    import pyroute2
    from bokeh.embed import json_item

    import xdplab
    import xdplab.widgets
    from xdplab.widgets.base import pump
    from xdplab.widgets.dashboard.figure import dashboard_figure
    from xdplab.widgets.pictures.drawing import draw

    assert ipykernel
    assert np
    assert pyroute2
    for module in (xdplab, xdplab.widgets):
        for name in module.__all__:
            getattr(module, name)
    figure = dashboard_figure([""])
    json_item(figure)  # Bokeh looks up the properties of each class once,
    draw(figure, {})  # and matplotlib its fonts
    pump.INTERVAL = _INTERVAL
    gc.collect()
    gc.freeze()


def _be_kernel(fork: socket.socket) -> None:
    from threading import Thread

    import ipywidgets
    from ipykernel.kernelapp import IPKernelApp

    def end_with_the_stand_in() -> None:
        fork.recv(1)
        os.kill(os.getpid(), signal.SIGKILL)

    request, outputs, _, _ = socket.recv_fds(fork, _LONGEST, 2)
    connection_file, folder, environment = json.loads(request)
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # The server is not the parent of a fork, which would take that for the server's end.
    os.environ.pop("JPY_PARENT_PID", None)
    for place, descriptor in enumerate(outputs, 1):
        os.dup2(descriptor, place)
        os.close(descriptor)
    fork.send(str(os.getpid()).encode())
    Thread(target=end_with_the_stand_in, daemon=True).start()
    sys.path[0] = ""  # as Jupyter's kernels have it
    application = IPKernelApp.instance()
    application.initialize(["-f", connection_file])
    ipywidgets.load_ipython_extension(application.shell)  # as an import in a kernel does
    application.start()
    sys.exit()


if __name__ == "__main__":
    if len(sys.argv) == 2:
        _serve(socket.socket(fileno=int(sys.argv[1])))
    else:
        _stand_in(*sys.argv[1:])
