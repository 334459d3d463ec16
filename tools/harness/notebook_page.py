"""A notebook open in a browser, controlled as by a person, and read by scripts in the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.jupyter_server import JupyterServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request

FAULTS_OF_ITS_OWN = {
    # JupyterLab 4.6: a notebook that is closed while its debugger still asks the kernel something.
    # And one whose kernel ends before it has made the subshells that its comms asked for.
    "lab": (
        "Could not restore the debugger state: Canceled future",
        "Canceled future for create_subshell_request message",
    ),
    # Notebook 7.6: its shortcuts look for a plugin's settings before these are there, on any page.
    "notebook": ("Cannot read properties of undefined (reading 'schema')",),
}
"""Errors that an application logs even on a page without a widget."""

# The widget of a cell that runs before the page listens for widgets is not found.
READY = """() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    const kernel = panel?.sessionContext?.session?.kernel;
    return panel?.context?.isReady && panel.content.widgets !== undefined
        && kernel?.connectionStatus === 'connected' && ['idle', 'busy'].includes(kernel.status)
        && '_targetRegistry' in kernel && 'jupyter.widget' in kernel._targetRegistry;
}"""

# Notebooks are closed without a question about unsaved changes.
CLOSE_ALL = """(but) => {
    const shell = window.jupyterapp.shell;
    for (const widget of [...shell.widgets('main')]) {
        if (but === 'current' && widget === shell.currentWidget) continue;
        if (widget.context) widget.context.model.dirty = false;
        widget.close();
    }
}"""

# Returns once the cell is being executed; `done` is kept for `wait_for`.
RUN = """async (index) => {
    const app = window.jupyterapp;
    const notebook = app.shell.currentWidget.content;
    notebook.deselectAll();
    notebook.activeCellIndex = index;
    const state = {done: false};
    (window.cellsRun ??= {})[index] = state;
    app.commands.execute('notebook:run-cell').finally(() => { state.done = true; });
}"""

FILL = """([index, texts]) => {
    const {cells} = window.jupyterapp.shell.currentWidget.content.model;
    texts.forEach((text, place) => {
        const cell = cells.get(index + place);
        cell.sharedModel.setSource(text);
        cell.outputs.clear();
    });
}"""

KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"

OUTPUTS = """(index) => {
    const model = window.jupyterapp.shell.currentWidget.content.model;
    return model.cells.get(index).outputs.toJSON();
}"""


# How high the page has to be for all of the notebook to be seen.
HEIGHT_OF_ALL = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    await frame();  // JupyterLab lays itself out anew
    await frame();
    const {node} = window.jupyterapp.shell.currentWidget;
    const panel = node.querySelector('.jp-WindowedPanel-outer');  // one can scroll past its end
    panel.scrollTop = 0;
    const {bottom} = [...panel.querySelectorAll('.jp-Cell')].at(-1).getBoundingClientRect();
    const BELOW = 60;  // the status bar, and a margin
    return Math.ceil(bottom + BELOW);
}"""

PATIENCE_MS = 60_000
"""Time for what a page is to show: the machine may be busy with other tests."""

_POLLING = 100  # ms


class NotebookPage:
    """One browser page with one notebook.

    Parameters
    ----------
    browser
        Chromium.
    server
        The server with the notebook.
    path
        Path of the notebook, below the server's root.
    theme
        "light" or "dark".
    width
        Width of the page, in pixels.
    script
        JavaScript that runs before any of the page's own.
    """

    def __init__(
        self,
        browser: Browser,
        server: JupyterServer,
        path: Path,
        *,
        theme: str = "light",
        width: int = 1280,
        script: str = "",
    ) -> None:
        self.server = server
        self.path = path
        self.complaints: list[str] = []
        """Errors that the page logged, and requests that left the machine."""
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.add_init_script(script)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_error)
        self.page.on("request", self._on_request)
        self.theme = theme
        self.open()

    def show(self, path: Path, *, theme: str, width: int) -> None:
        """Open another notebook in the page of a JupyterLab.

        That takes a second; loading the page takes several.
        """
        self.path, self.theme = path, theme
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.evaluate(
            # Returns nothing: Playwright would take a widget apart, with all of JupyterLab.
            """async path => {
                window.cellsRun = {};
                window.jupyterapp.shell.expandLeft();
                await window.jupyterapp.commands.execute('docmanager:open', {path});
            }""",
            path.name,
        )
        self._wait_until_ready()
        self.page.evaluate(CLOSE_ALL, "current")

    def leave(self) -> None:
        """Close the notebook, so that `show` can open another; the kernel lives on."""
        self.page.evaluate(CLOSE_ALL, "none")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not self._is_its_own(message.text):
            self.complaints.append(f"console: {message.text} ({message.location['url']})")

    def _on_error(self, error: Error) -> None:
        words = error.stack or error.message
        if not self._is_its_own(words):
            self.complaints.append(f"uncaught: {words}")

    def _is_its_own(self, words: str) -> bool:
        return any(fault in words for fault in FAULTS_OF_ITS_OWN[self.server.application])

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("blob", "data") and address.hostname != "127.0.0.1":
            self.complaints.append(f"request: {request.url}")

    def open(self) -> None:
        """Open the notebook in a fresh workspace and wait for its kernel."""
        self.page.goto(self.server.page_url(self.path))
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        self.wait_until(READY)
        self.change_theme(self.theme)

    def wait_until(self, script: str, *, arg: object = None, timeout: float = PATIENCE_MS) -> None:
        """Wait until a script in the page returns what is true, for at most `timeout` ms.

        The page is asked several times a second, and not at each of its frames: a script that reads
        the rows of all figures would take most of a core.
        """
        self.page.wait_for_function(script, arg=arg, timeout=timeout, polling=_POLLING)

    def change_theme(self, theme: str) -> None:
        """Change between "light" and "dark"."""
        name = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme]
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )

    def reload(self) -> None:
        """Reload the page, as with F5; the kernel lives on."""
        self.open()

    def fill(self, index: int, *cells: str) -> None:
        """Write other text into the cells from `index` on, and clear their outputs."""
        self.page.evaluate(FILL, [index, cells])

    def kernel(self) -> str:
        """Return the id of its kernel."""
        return str(self.page.evaluate(KERNEL))

    def start(self, index: int) -> None:
        """Start the cell at `index` and return while it runs."""
        self.page.evaluate(RUN, index)

    def wait_for(self, index: int, timeout: float = 120) -> None:
        """Wait until the cell that `start` started has ended."""
        done = "index => window.cellsRun[index].done"
        self.wait_until(done, arg=index, timeout=timeout * 1000)

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

    def scroll_to_active_cell(self) -> None:
        """Scroll to the cell that ran last: cells out of sight are not on the page."""
        self.page.evaluate(
            """() => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                return notebook.scrollToItem(notebook.activeCellIndex);
            }"""
        )

    def show_all(self, width: int) -> None:
        """Give the page a width, and make it so high that all of the notebook is seen."""
        height = 900
        self.page.set_viewport_size({"width": width, "height": height})
        # JupyterLab guesses the height of cells until it has drawn them at this width.
        while (needed := self.page.evaluate(HEIGHT_OF_ALL)) != height:
            height = needed
            self.page.set_viewport_size({"width": width, "height": height})

    def hide_side_bar(self) -> None:
        """Leave the whole width to the notebook, which in Notebook 7 has it anyway."""
        if self.server.application == "lab":
            self.page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def close(self) -> None:
        """Close the page; the kernel lives on."""
        self.context.close()


def write_notebook(path: Path, cells: Sequence[str]) -> Path:
    """Write a notebook with these code cells and return its path."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "source": cell,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for number, cell in enumerate(cells)
        ],
    }
    path.write_text(json.dumps(notebook))
    return path
