"""A knob is one row of a table, and all else that is said of it comes from there."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import pytest
from support.installs import SOURCE, run

from xdplab import KNOBS, PRESETS, Engine, Lab, Stream, Traffic
from xdplab.native import ffi
from xdplab.settings.settings import current

# In a process of its own, since a row must be there before the table is imported. The word of the
# control block is one that a worker without a pace leaves alone.
ADDED_ROW = '''
import inspect, runpy, sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

ROW = """    spare = Knob[int](
        whole(0, 100),
        word="steps",
        default=0,
        label="Spare",
        help="What a test adds",
        unit="frames",
        stops=lambda _engine: (0, 1, 10, 100),
        search=Search((1, 10)),
    )
"""
FIRST = "    batch = Knob[int]("
as_usual = SourceFileLoader.get_code

def get_code(self, name):
    if name != "xdplab.knobs.table":
        return as_usual(self, name)
    source = Path(self.path).read_text()
    assert source.count(FIRST) == 1
    return compile(source.replace(FIRST, ROW + FIRST), self.path, "exec")

SourceFileLoader.get_code = get_code

from xdplab import KNOBS, ConfigurationError, Engine, Grid, Lab, undo
from xdplab.settings import presets, settings
from xdplab.tuning.space import Space
from xdplab.widgets import Controls

def refusal(turn):
    try:
        turn()
    except ConfigurationError as error:
        return str(error)

def descendants(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from descendants(child)

with Lab(backend="soft") as lab, Engine(lab.port) as engine:
    # An attribute, with its documentation and its bounds.
    engine.spare = 7
    assert engine.spare == 7
    assert inspect.getdoc(Engine.spare) == "What a test adds: 0 to 100 frames."
    assert refusal(lambda: setattr(engine, "spare", 101)) == (
        "spare=101 must be a whole number, 0 to 100."
    )
    assert "Did you mean 'spare'?" in refusal(lambda: setattr(engine, "spaer", 1))
    # In the journal, and undone.
    assert str(engine.journal.last) == "spare 0 → 7"
    undo(engine)
    assert engine.spare == 0
    # A trait and a slider.
    controls = Controls(engine)
    (slider,) = [w for w in descendants(controls) if getattr(w, "description", None) == "Spare"]
    controls.spare = 10
    assert engine.spare == slider.value == 10
    slider.value = 100
    assert engine.spare == controls.spare == 100
    assert slider.tooltip == "What a test adds"
    # A setting, and a part of a preset.
    with settings.kept(engine, ["spare"]):
        settings.apply(engine, {"batch": 8, "spare": 2})
        assert settings.current(engine, ["spare"]) == {"spare": 2}
    assert engine.spare == 100
    presets.PRESETS = {"mine": presets.Preset({"spare": 3}, why="a test")}
    presets.apply_preset(engine, "mine")
    assert engine.spare == 3
    # Swept and searched.
    found = Grid(engine, seconds=0.02, spare=[4, 5]).run(progress=False).results
    assert found[["spare", "status"]].tolist() == [(4, "measured"), (5, "measured")]
    assert Space(engine, None, ["spare"]).choices == {"spare": [1, 3, 10]}
    assert "spare" in Space(engine, None).names

runpy.run_path(sys.argv[1])
'''

PAGE = SOURCE / "scripts" / "knobs_page.py"


def test_a_row_that_is_added_is_found_everywhere() -> None:
    pytest.importorskip("optuna")
    page = run(sys.executable, "-c", ADDED_ROW, PAGE)
    assert "| `spare` | what a test adds | int | 0 to 100 | frames | `0` | 1, 10 |" in page


def test_the_page_of_the_documentation_is_that_of_the_table() -> None:
    assert (SOURCE / "docs" / "knobs.md").read_text() == run(sys.executable, PAGE)


@pytest.mark.parametrize("name", [n for n, knob in KNOBS.items() if knob.home == "engine"])
def test_a_knob_of_the_worker_has_a_word_of_its_own(name: str) -> None:
    words = [knob.word for knob in KNOBS.values() if knob.home == "engine"]
    assert words.count(KNOBS[name].word) == 1
    fields: dict[str, Any] = dict(ffi.typeof("struct xdplab_control").fields)
    word = fields[KNOBS[name].word].type
    assert (word.kind, ffi.sizeof(word)) == ("primitive", 8)


def test_what_is_not_told_is_as_the_table_says(lab: Lab) -> None:
    engine, traffic = Engine(lab.port), Traffic(lab.peer, lab.port)
    chosen = {"cpu"}  # by the engine
    told = {
        name: knob
        for name, knob in KNOBS.items()
        if knob.home not in ("napi", "steering") and name not in chosen
    }
    assert current(engine, told, traffic) == {name: knob.default for name, knob in told.items()}


@pytest.mark.parametrize("door", [Engine, Traffic, Stream])
def test_what_a_constructor_takes_unless_told_otherwise_is_the_tables(door: type) -> None:
    usual = {
        name: parameter.default
        for name, parameter in inspect.signature(door).parameters.items()
        if name in KNOBS and parameter.default is not None
    }
    assert usual
    assert usual == {name: KNOBS[name].default for name in usual}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_of_knobs_and_of_values_that_they_take(lab: Lab, preset: str) -> None:
    engine = Engine(lab.port)
    for name, value in PRESETS[preset].knobs.items():
        assert KNOBS[name].kind.check(name, value, engine) == value
