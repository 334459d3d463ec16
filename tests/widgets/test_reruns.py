"""A notebook cell that runs again leaves no widget of its last run that nobody shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pytest
from IPython.core.events import EventManager
from IPython.core.formatters import DisplayFormatter

from xdplab import Engine, Lab
from xdplab.widgets import Timeline
from xdplab.widgets.base import closing, reruns

Make = Callable[[], object]


class Shell:
    """The parts of a notebook's shell that widgets use."""

    kernel = None

    def __init__(self) -> None:
        self.user_ns: dict[str, object] = {}
        self.display_formatter = DisplayFormatter()
        self.events = EventManager(self, {"pre_run_cell": None, "post_run_cell": None})


class Notebook:
    """Runs cells."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell = Shell()
        self.cell = ""
        self.cells = reruns.Cells(self.shell)
        monkeypatch.setattr(reruns, "current_cell", lambda: self.cell)
        monkeypatch.setattr(closing, "cells", lambda: self.cells)

    def run(self, cell: str, make: Make) -> Any:
        """Run a cell; return what it displays."""
        self.cell = cell
        self.shell.events.trigger("pre_run_cell", None)
        made = make()
        if made is not None:
            self.shell.display_formatter.format(made)
        self.shell.events.trigger("post_run_cell", None)
        return made

    def name(self, name: str, value: object) -> None:
        """Set a variable of the notebook."""
        self.shell.user_ns[name] = value


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """Have a notebook."""
    return Notebook(monkeypatch)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Have an engine."""
    with Lab(backend="soft") as lab, Engine(lab.port) as engine:
        yield engine


def is_open(widget: Any) -> bool:
    return widget.comm is not None


def test_the_widget_of_a_cells_last_run_is_closed(notebook: Notebook, engine: Engine) -> None:
    first = notebook.run("a", lambda: Timeline(engine))
    boxed = notebook.run("b", lambda: ipywidgets.VBox([Timeline(engine)]))
    notebook.name("_1", first)
    second = notebook.run("a", lambda: Timeline(engine))
    assert not is_open(first)
    assert is_open(second)
    assert is_open(boxed.children[0])
    notebook.run("b", lambda: None)
    assert not is_open(boxed.children[0])
    assert is_open(second)


def test_a_widget_stays_that_another_cell_shows_or_a_variable_names(
    notebook: Notebook, engine: Engine
) -> None:
    shown = notebook.run("a", lambda: Timeline(engine))
    notebook.run("b", lambda: ipywidgets.HBox([shown]))
    notebook.run("a", lambda: Timeline(engine))
    assert is_open(shown)
    notebook.run("b", lambda: None)
    assert not is_open(shown)

    named = notebook.run("c", lambda: Timeline(engine))
    notebook.name("line", named)
    notebook.run("c", lambda: None)
    assert is_open(named)
    assert is_open(named.children[1])
    notebook.name("line", None)
    notebook.run("d", lambda: None)
    assert not is_open(named)


def test_a_widget_that_a_browser_shows_stays_until_its_view_is_gone(
    notebook: Notebook, engine: Engine
) -> None:
    viewed = notebook.run("a", lambda: Timeline(engine))
    figure = viewed.children[1]
    figure._receive(None, {"kind": "rows", "view": "view"}, [])
    notebook.run("a", lambda: None)
    assert is_open(viewed)
    figure._receive(None, {"kind": "bye", "view": "view"}, [])
    figure.beat()
    notebook.cells.beat()
    assert not is_open(viewed)
