"""The course is run in copies of the reader's own, and none that was changed is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.installs import SOURCE

from xdplab.core.errors import ConfigurationError
from xdplab.course import copies, lessons

FIRST, SECOND, SOLUTION = "01-one.ipynb", "02-two.ipynb", "solutions/01-one.ipynb"
NAMES = [FIRST, SECOND, SOLUTION]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a small course, and say where its copies go."""
    folder = tmp_path / "notebooks"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"version 1 of {name}")
    monkeypatch.setattr(copies, "notebooks", lambda: [(name, folder / name) for name in NAMES])
    monkeypatch.setenv(copies.VARIABLE, str(tmp_path / "mine"))
    return folder


def held(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.glob("[!.]*/*.ipynb")) + sorted(
        path.name for path in folder.glob("*.ipynb")
    )


def test_each_notebook_is_copied_once(given: Path, tmp_path: Path) -> None:
    folder, told = copies.copy()
    assert folder == tmp_path / "mine"
    assert sorted(held(folder)) == sorted(NAMES)
    assert not told
    (folder / FIRST).write_text("my own")
    assert copies.copy() == (folder, [])
    assert (folder / FIRST).read_text() == "my own"
    (folder / SOLUTION).unlink()
    copies.copy()
    assert sorted(held(folder)) == sorted(NAMES)


def test_a_newer_lesson_takes_the_place_of_a_copy_that_was_not_changed(given: Path) -> None:
    copies.copy()
    (given / FIRST).write_text("newer")
    folder, told = copies.copy()
    assert (folder / FIRST).read_text() == "newer"
    assert told == [f"{FIRST} was updated to its newer version"]
    assert sorted(held(folder)) == sorted(NAMES)
    assert copies.copy()[1] == []


@pytest.mark.parametrize("name", [FIRST, SOLUTION])
def test_a_newer_lesson_comes_beside_a_copy_that_was_changed(given: Path, name: str) -> None:
    folder, _told = copies.copy()
    mine = folder / name
    for number in (2, 3):
        mine.write_text("my own")
        (given / name).write_text(f"version {number}")
        beside = mine.with_name(f"{mine.stem}-{number}.ipynb")
        told = copies.copy()[1]
        assert told == [f"{name} has a newer version: it is {beside.name}. Yours stays as it is."]
        assert mine.read_text() == "my own"
        assert beside.read_text() == f"version {number}"
        assert copies.copy()[1] == [], "it is told once"


def test_a_folder_that_can_not_be_written_is_refused_with_a_remedy(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv(copies.VARIABLE, str(tmp_path / "a file" / "within"))
    with pytest.raises(ConfigurationError, match=f"{copies.VARIABLE}=~/lessons"):
        copies.copy()


def test_from_a_source_tree_they_are_in_it_and_else_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(copies.VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(copies, "source_tree", lambda: tmp_path / "tree")
    assert copies.folder() == tmp_path / "xdplab-course", "there is no such tree to write to"
    (tmp_path / "tree").mkdir()
    assert copies.folder() == tmp_path / "tree" / "course"
    monkeypatch.setattr(copies, "source_tree", lambda: None)
    assert copies.folder() == tmp_path / "xdplab-course"


def test_this_tree_is_found() -> None:
    assert lessons.source_tree() == SOURCE


def test_git_ignores_the_copies() -> None:
    assert "/course/" in (SOURCE / ".gitignore").read_text().splitlines()


def test_jupyterlab_asks_nothing_about_news() -> None:
    utils = pytest.importorskip("jupyterlab_server.settings_utils")
    schemas = pytest.importorskip("jupyterlab.commands").get_app_dir() + "/schemas"
    settings, _warnings = utils.get_settings(
        str(SOURCE / "scripts" / "jupyterlab"),
        schemas,
        "/nonexistent",
        schema_name="@jupyterlab/apputils-extension:notification",
        overrides=utils._get_overrides(str(SOURCE / "scripts" / "jupyterlab"))[0],
    )
    default = settings["schema"]["properties"]
    assert default["fetchNews"]["default"] == "false"
    assert default["checkForUpdates"]["default"] is False
