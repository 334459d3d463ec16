"""The row to save things with: what it saves, what it suggests, what it says."""

from __future__ import annotations

import threading
from pathlib import Path

import ipywidgets
import pytest
from support.seen import control, parts, press, text_of
from support.waiting import eventually

from xdplab import Engine, Lab
from xdplab.widgets.parts.export_bar import Export, ExportBar, telemetry_exports


@pytest.fixture
def bar(lab: Lab) -> ExportBar:
    with Engine(lab.port) as engine:
        return ExportBar(telemetry_exports(engine.telemetry))


def save(bar: ExportBar, path: str) -> str:
    """Press the button as a browser would, and return what the bar says in the end."""
    before = bar.saves
    path_of(bar).value = path
    press(bar, "Save")
    assert eventually(lambda: bar.saves > before, 30)
    return text_of(bar)


def path_of(bar: ExportBar) -> ipywidgets.Text:
    (box,) = (part for part in parts(bar) if isinstance(part, ipywidgets.Text))
    return box


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("all samples", "frames.pcapng"),
        ("all samples", "frames.csv"),
        ("history, 82 s", "history.parquet"),
        ("history, 17 min", "long.csv"),
    ],
)
def test_it_saves_and_says_where_and_how_many(
    bar: ExportBar, tmp_path: Path, what: str, name: str
) -> None:
    control(bar, "Save", ipywidgets.Dropdown).value = what
    said = save(bar, str(tmp_path / name))
    assert f"in {tmp_path / name}" in said
    assert (tmp_path / name).stat().st_size > 0


def test_a_file_that_is_there_stays_and_the_new_ones_name_is_told(
    bar: ExportBar, tmp_path: Path
) -> None:
    (tmp_path / "frames.csv").write_text("of yesterday")
    assert f"in {tmp_path / 'frames-2.csv'}" in save(bar, str(tmp_path / "frames.csv"))
    assert f"in {tmp_path / 'frames-3.csv'}" in save(bar, str(tmp_path / "frames.csv"))
    assert (tmp_path / "frames.csv").read_text() == "of yesterday"


def test_what_can_not_be_saved_is_told_and_the_next_can(bar: ExportBar, tmp_path: Path) -> None:
    assert "ENOENT" in save(bar, str(tmp_path / "no" / "folder.csv"))
    assert "must end in" in save(bar, str(tmp_path / "frames.txt"))
    assert "frames in" in save(bar, str(tmp_path / "frames.csv"))


def test_the_name_follows_what_is_chosen_until_somebody_writes_one(bar: ExportBar) -> None:
    assert path_of(bar).value == "samples.pcapng"
    control(bar, "Save", ipywidgets.Dropdown).value = "history, 82 s"
    assert path_of(bar).value == "history.csv"
    path_of(bar).value = "mine.csv"
    control(bar, "Save", ipywidgets.Dropdown).value = "history, 17 min"
    assert path_of(bar).value == "mine.csv"


def test_whatever_goes_wrong_is_told_as_text_and_leaves_no_thread() -> None:
    def fail(path: str) -> None:
        raise ValueError(f"<b>{path}</b>")

    bar = ExportBar({"it": Export(fail, "it.csv")})  # type: ignore[arg-type]
    assert "ValueError: <b>x</b>" in save(bar, "x")
    left = {"xdplab-save", "xdplab-pump"}
    assert eventually(lambda: not left & {thread.name for thread in threading.enumerate()}, 30)


def test_it_says_what_it_has_in_plain_text(bar: ExportBar) -> None:
    assert repr(bar) == "<ExportBar: all samples, history, 82 s, history, 17 min>"
