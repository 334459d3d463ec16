"""A Jupyter server of its own: port, token, folders and configuration."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from harness.errors import BrowserError


def free_port() -> int:
    """Return a TCP port that was free on the loopback interface a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Application(NamedTuple):
    module: str
    path: str
    """Path of a notebook's page."""
    options: tuple[str, ...]


# Cells are run and read through the application object. By default, JupyterLab and Notebook look
# for extensions and newer versions on the network.
APPLICATIONS = {
    "lab": _Application(
        "jupyterlab",
        "lab/tree/{}?reset",
        (
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ),
    ),
    "notebook": _Application(
        "notebook",
        "notebooks/{}",
        (
            "--JupyterNotebookApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
        ),
    ),
}
"""JupyterLab and Notebook 7."""


class JupyterServer:
    """A Jupyter server on loopback, separate from any that the user runs.

    Parameters
    ----------
    folder
        An empty folder for notebooks, configuration and logs.
    application
        One of `APPLICATIONS`. Each has a server of its own, since a shared server confuses files
        that exist in both under the same name.

    Raises
    ------
    BrowserError
        When it does not start, or does not answer.
    """

    def __init__(self, folder: Path, application: str = "lab") -> None:
        self.application = application
        module, _, options = APPLICATIONS[application]
        self.root = folder / "notebooks"
        """The folder of its notebooks."""
        self.root.mkdir(parents=True)
        self.log_path = folder / "jupyter.log"
        self.port = free_port()
        self.token = secrets.token_hex(16)
        settings = folder / "config" / "lab" / "user-settings"
        notifications = settings / "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        notifications.parent.mkdir(parents=True)
        # Otherwise JupyterLab asks whether it may fetch news, in front of what screenshots show.
        notifications.write_text('{"fetchNews": "false", "checkForUpdates": false}')
        # JupyterLab 4.6 shows its splash for the page and for its theme, and takes it off once more
        # than it is there if both come within 200 ms: an error that is none of the widgets'.
        page_config = folder / "config" / "labconfig" / "page_config.json"
        page_config.parent.mkdir(parents=True)
        page_config.write_text(
            '{"disabledExtensions": {"@jupyterlab/apputils-extension:splash": true}}'
        )
        environment = os.environ | {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_PREFER_ENV_PATH": "1",
        }
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    # It ends with this process, in any case, and ends its kernels.
                    *("setpriv", "--pdeathsig", "TERM", "--"),
                    sys.executable,
                    *("-m", module, "--no-browser", "--allow-root"),
                    *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}"),
                    *("--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}"),
                    f"--ServerApp.root_dir={self.root}",
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.root,
                start_new_session=True,
            )
        self._wait_until_it_answers(module)

    def _wait_until_it_answers(self, module: str) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise BrowserError(f"{module} did not start:\n{self.log_path.read_text()}")
            try:
                with urllib.request.urlopen(self.url("api/status"), timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        raise BrowserError(f"{module} did not answer:\n{self.log_path.read_text()}")

    def url(self, path: str) -> str:
        """Return the address of `path` on this server, token included."""
        joint = "&" if "?" in path else "?"
        return f"http://127.0.0.1:{self.port}/{path}{joint}token={self.token}"

    def page_url(self, notebook: Path) -> str:
        """Return the address of a notebook's page."""
        return self.url(APPLICATIONS[self.application].path.format(notebook.name))

    def shut_kernels_down(self, but: Collection[str] = ()) -> None:
        """End every kernel that notebooks have started, `but` those with these ids."""
        with urllib.request.urlopen(self.url("api/kernels"), timeout=20) as answer:
            kernels = {kernel["id"] for kernel in json.load(answer)}
        for kernel in kernels.difference(but):
            address = self.url(f"api/kernels/{kernel}")
            request = urllib.request.Request(address, method="DELETE")
            urllib.request.urlopen(request, timeout=20).close()

    def stop(self) -> None:
        """Stop the server; it ends its kernels."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
