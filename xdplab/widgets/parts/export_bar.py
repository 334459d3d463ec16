"""A row of controls to save data into a file, which shows the result."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets

from xdplab.core.checks import place
from xdplab.core.errors import XdplabError
from xdplab.core.files import Saved
from xdplab.telemetry.region import Telemetry
from xdplab.widgets.base import pump
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.style.palette import GREEN, VERMILLION


class Export(NamedTuple):
    """A kind of data that can be saved."""

    save: Callable[[str], Saved]
    """Saves the data to a file of this name. It is called on a thread of its own."""
    name: str
    """Default name of the file."""


def telemetry_exports(telemetry: Telemetry) -> dict[str, Export]:
    """Return the exports of any engine's telemetry, by their names in the menu."""
    return {
        "all samples": Export(telemetry.save_samples, "samples.pcapng"),
        "history, 82 s": Export(telemetry.save_history, "history.csv"),
        "history, 17 min": Export(partial(telemetry.save_history, long=True), "long-history.csv"),
    }


class ExportBar(ClosesModels, ipywidgets.HBox):  # type: ignore[misc]
    """A menu of exports, the file's name, a button, and the result.

    The file name's suffix sets the format: see `Telemetry.save_samples` and
    `Telemetry.save_history`. A name without a folder is in the kernel's working directory. A file
    that is there already stays: the new one gets a number, which the result names.

    Parameters
    ----------
    exports
        The exports, by their names in the menu; the first is selected.
    """

    def __init__(self, exports: Mapping[str, Export]) -> None:
        self._exports = dict(exports)
        self._asked: tuple[str, str] | None = None
        self._thread: threading.Thread | None = None
        self._outcome: Saved | str = ""
        self.saves = 0
        """How often it has saved, or said why it could not."""
        first = next(iter(self._exports))
        self._menu = ipywidgets.Dropdown(
            description="Save",
            options=list(self._exports),
            layout={"width": "210px"},
            style={"description_width": "40px"},
        )
        self._path = ipywidgets.Text(
            self._exports[first].name,
            tooltip="Ends in .pcapng, .csv or .parquet",
            continuous_update=False,
            layout={"width": "240px"},
        )
        self._button = ipywidgets.Button(
            description="Save", icon="download", layout={"width": "90px"}
        )
        self._said = ipywidgets.HTML()
        for control in (self._menu, self._path, self._button):
            follow_subshells(control)
        self._menu.observe(self._suggest, "value")
        self._button.on_click(self._ask)
        super().__init__(
            [self._menu, self._path, self._button, self._said],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )

    def __repr__(self) -> str:
        return f"<ExportBar: {', '.join(self._exports)}>"

    def _suggest(self, change: dict[str, Any]) -> None:
        """Fill in the default name of the selected export, unless the user wrote another."""
        if self._path.value in {export.name for export in self._exports.values()}:
            self._path.value = self._exports[change["new"]].name

    def _ask(self, _button: object) -> None:
        self._asked = (self._menu.value, self._path.value)
        pump.subscribe(self)

    def beat(self) -> None:
        """Begin to save, or show the result."""
        if self._thread is not None:
            if self._thread.is_alive():
                return
            self._thread = None
            self._tell(self._outcome)
        if self._asked is None:
            pump.unsubscribe(self)
            # The button may have been pressed just before that.
            if self._asked is not None:
                pump.subscribe(self)
            return
        what, path = self._asked
        self._asked = None
        self._said.value = "saving …"
        # A minute's history takes a while to write; the figures must go on meanwhile.
        self._thread = threading.Thread(
            target=self._save, args=(self._exports[what], path), name="xdplab-save", daemon=True
        )
        self._thread.start()

    def failed(self, error: Exception) -> None:
        """Show why nothing was saved."""
        self._tell(f"{type(error).__name__}: {error}")

    def _save(self, export: Export, path: str) -> None:
        try:
            self._outcome = export.save(str(_free(place("path", path))))
        except XdplabError as error:
            self._outcome = str(error)
        except Exception as error:
            self._outcome = f"{type(error).__name__}: {error}"

    def _tell(self, outcome: Saved | str) -> None:
        color = GREEN if isinstance(outcome, Saved) else VERMILLION
        words = html.escape(str(outcome))
        self._said.value = (
            f'<span style="color: {color}; margin: 0 6px">&#9679;</span>'
            f'<span style="overflow-wrap: anywhere; line-height: 1.4">{words}</span>'
        )
        self.saves += 1


def _free(path: Path) -> Path:
    """Return the path, with a number where a file has that name already."""
    numbered = path
    for number in count(2):
        if not numbered.is_file():
            break
        numbered = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return numbered
