"""A notebook with a lab, an engine and a dashboard, to be measured."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.chromium import open_chromium
from harness.errors import BrowserError
from harness.far_view import FarView
from harness.jupyter_server import JupyterServer
from harness.kernel_process import KernelProcess
from harness.notebook_page import NotebookPage, write_notebook
from xdplab.bench.temporary_folder import temporary_folder
from xdplab.telemetry.region import Telemetry

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_SET_UP = """
import json, os, threading, time
from pathlib import Path
from xdplab import Engine, Lab, Sampling, Traffic
from xdplab.widgets import Dashboard, LiveFigure
from xdplab.widgets.base import pump
lab = Lab()
traffic = Traffic(lab.peer, lab.port, rate={rate})
engine = None
print(os.getpid())
"""

_OPEN = """
if engine:
    engine.close()
engine = Engine(lab.port, sampling=Sampling(publish_interval={interval})).start()
print(engine.telemetry_path)
"""

_COMPUTE = """
Path("computing").touch()
while Path("computing").exists():
    sum(range(100_000))
"""

_QUICKEN = """
ordinary = pump.INTERVAL
pump.INTERVAL = {interval}
dashboard.seconds = 10  # the range whose rows are closest
"""

_ELSEWHERE = """
dashboard = Dashboard(engine)
(figure,) = [child for child in dashboard.children if isinstance(child, LiveFigure)]
print(figure.model_id)
"""

CELLS = {
    "set up": _SET_UP,
    "open": _OPEN.format(interval=0.01),
    "open, publishing each millisecond": _OPEN.format(interval=0.001),
    "show": "dashboard = Dashboard(engine)\ndashboard",
    "show elsewhere": _ELSEWHERE,
    "steady traffic": "traffic.rate = {rate}\ntraffic.start()",
    "all traffic": 'traffic.rate = "max"\ntraffic.start()',
    "no traffic": "traffic.stop()",
    "compute": _COMPUTE,
    "quicken": _QUICKEN.format(interval=0.02),
    "slow down": "pump.INTERVAL = ordinary\ndashboard.seconds = 60",
    "count": "print(sum(thread.name == 'xdplab-pump' for thread in threading.enumerate()))",
}
"""The notebook's cells, by purpose."""

_PLACES = {name: place for place, name in enumerate(CELLS)}

# Counts all messages through the page's websockets.
_COUNT_MESSAGES = """
window.xdplabMessages = 0;
const Native = window.WebSocket;
window.WebSocket = class extends Native {
    constructor(...given) {
        super(...given);
        this.addEventListener("message", () => { window.xdplabMessages += 1; });
    }
};
"""

_DEADLINE = 60.0


class Session:
    """The notebook, open in JupyterLab.

    Parameters
    ----------
    page
        A page with a notebook of `CELLS`.
    browser
        The browser of the page.
    """

    def __init__(self, page: NotebookPage, browser: Browser) -> None:
        self._notebook, self._browser = page, browser
        self.page = page.page
        self.kernel = KernelProcess(int(self.run("set up")))

    def run(self, cell: str) -> str:
        """Run a cell to its end; return what it printed."""
        return self._notebook.run(_PLACES[cell]).strip()

    def open_engine(self, finely: bool = False) -> Telemetry:
        """Make a new engine; return its telemetry, mapped in this process."""
        path = self.run("open, publishing each millisecond" if finely else "open")
        return Telemetry.open(path)

    def show(self) -> None:
        """Show the dashboard, and return once it is live."""
        self.run("show")
        self.page.locator(".xdplab-live").first.wait_for(timeout=1000 * _DEADLINE)

    @contextmanager
    def elsewhere(self) -> Iterator[FarView]:
        """View the dashboard's figure as from another machine, with the page closed."""
        figure = self.run("show elsewhere")
        kernel = self._notebook.kernel()
        address = self._notebook.server.url(f"api/kernels/{kernel}/channels")
        self.page.goto("about:blank")
        try:
            with FarView(address.replace("http", "ws", 1), figure, CELLS) as view:
                yield view
        finally:
            self._notebook.reload()

    def hide(self) -> None:
        """Clear the dashboard's output, and return once no more messages are sent."""
        self._notebook.clear_output(_PLACES["show"])
        deadline = time.monotonic() + _DEADLINE
        while int(self.run("count")):
            if time.monotonic() > deadline:
                raise BrowserError("the pump went on though the dashboard's output was cleared")
            time.sleep(0.2)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Keep the kernel busy with a cell that computes."""
        flag = self._notebook.server.root / "computing"
        self._notebook.start(_PLACES["compute"])
        try:
            while not flag.exists():
                time.sleep(0.05)
            yield
        finally:
            flag.unlink(missing_ok=True)
        self._notebook.wait_for(_PLACES["compute"])

    def messages(self) -> int:
        """Return the number of messages that the page received."""
        return int(self.page.evaluate("window.xdplabMessages"))

    def browser_cpu_seconds(self) -> float:
        """Return the CPU time of all processes of the browser."""
        session = self._browser.new_browser_cdp_session()
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        session.detach()
        return float(sum(process["cpuTime"] for process in processes))

    def page_bytes(self) -> int:
        """Return the memory of the page's scripts, after garbage collection."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        used = int(session.send("Runtime.getHeapUsage")["usedSize"])
        session.detach()
        return used


@contextmanager
def open_session(rate: float) -> Iterator[Session]:
    """Open the notebook in a JupyterLab and a Chromium of its own.

    Parameters
    ----------
    rate
        Rate of the steady traffic, in frames a second.

    Raises
    ------
    BrowserError
        When one of them does not start.
    """
    with temporary_folder("xdplab-") as folder:
        server = JupyterServer(folder)
        try:
            with open_chromium() as browser:
                cells = [cell.replace("{rate}", str(rate)) for cell in CELLS.values()]
                path = write_notebook(server.root / "dashboard.ipynb", cells)
                page = NotebookPage(browser, server, path, script=_COUNT_MESSAGES)
                yield Session(page, browser)
                page.close()
        finally:
            server.shut_kernels_down()
            server.stop()
