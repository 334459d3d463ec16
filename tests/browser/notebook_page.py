"""A notebook open in JupyterLab in a browser, driven as a person would and read from the inside."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from jupyter_server import JupyterServer
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

READY = """() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    return panel?.context?.isReady && panel.content.widgets !== undefined
        && panel.sessionContext.session?.kernel?.connectionStatus === 'connected'
        && ['idle', 'busy'].includes(panel.sessionContext.session.kernel.status);
}"""

# Returns once the execution has begun, the cell being busy; `done` is kept for `wait_for`.
RUN = """async (index) => {
    const app = window.jupyterapp;
    const notebook = app.shell.currentWidget.content;
    notebook.deselectAll();
    notebook.activeCellIndex = index;
    const state = {done: false};
    (window.cellsRun ??= {})[index] = state;
    app.commands.execute('notebook:run-cell').finally(() => { state.done = true; });
}"""

OUTPUTS = """(index) => {
    const model = window.jupyterapp.shell.currentWidget.content.model;
    return model.cells.get(index).outputs.toJSON();
}"""


class NotebookPage:
    """One browser page with one notebook."""

    def __init__(
        self, browser: Browser, server: JupyterServer, path: Path, theme: str, width: int
    ) -> None:
        self.server = server
        self.path = path
        self.complaints: list[str] = []
        """Errors that the page logged, and requests that left the machine."""
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        self.page: Page = self.context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("request", self._on_request)
        self.theme = theme
        self.open()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("blob", "data") and address.hostname != "127.0.0.1":
            self.complaints.append(f"request: {request.url}")

    def open(self) -> None:
        """Open the notebook in a fresh workspace and wait for its kernel."""
        self.page.goto(self.server.url(f"lab/tree/{self.path.name}?reset"))
        self.page.wait_for_function(READY, timeout=60_000)
        theme = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[self.theme]
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )

    def reload(self) -> None:
        """Reload the page, as with F5; the kernel lives on."""
        self.open()

    def start(self, index: int) -> None:
        """Start the cell at `index` and return while it runs."""
        self.page.evaluate(RUN, index)

    def wait_for(self, index: int, timeout: float = 60) -> None:
        """Wait until the cell that `start` started has ended."""
        self.page.wait_for_function(
            "index => window.cellsRun[index].done", arg=index, timeout=timeout * 1000
        )

    def run(self, index: int) -> str:
        """Run the cell at `index` and return what it printed; an error in it fails the test."""
        self.start(index)
        self.wait_for(index)
        return self.printed(index)

    def printed(self, index: int) -> str:
        """Return the text of the cell's outputs so far."""
        outputs = self.page.evaluate(OUTPUTS, index)
        for output in outputs:
            if output["output_type"] == "error":
                raise AssertionError("\n".join(output["traceback"]))
        return "".join(
            text if isinstance(text := output["text"], str) else "".join(text)
            for output in outputs
            if output["output_type"] == "stream"
        )

    def save(self) -> None:
        """Save the notebook, widget state included."""
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")

    def clear_output(self, index: int) -> None:
        """Clear the output of the cell at `index`, as a person would from the menu."""
        self.page.evaluate(
            """index => {
                const app = window.jupyterapp;
                app.shell.currentWidget.content.activeCellIndex = index;
                return app.commands.execute('notebook:clear-cell-output');
            }""",
            index,
        )

    def restart_kernel(self) -> None:
        """Restart the kernel without asking."""
        self.page.evaluate(
            "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )

    def close(self) -> None:
        """Close the page; the kernel lives on."""
        self.context.close()


def write_notebook(path: Path, cells: list[str]) -> Path:
    """Write a notebook with these code cells and return its path."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, path)
    return path
