"""The course is run in copies of the user's own, and none that was changed is ever overwritten."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent
LESSONS = sorted(path.name for path in (SOURCE / "notebooks").glob("*.ipynb"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    for name in ("scripts", "notebooks"):
        shutil.copytree(SOURCE / name, folder / name)
    return folder


def course(tree: Path, **environment: str) -> tuple[Path, str]:
    """Return the folder that the script names, and what it says."""
    done = subprocess.run(
        [tree / "scripts" / "course"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.strip()), done.stderr


def held(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.ipynb"))


def test_each_lesson_is_copied_once(tree: Path) -> None:
    folder, said = course(tree)
    assert folder == tree / "course"
    assert held(folder) == LESSONS
    assert said == ""
    (folder / LESSONS[0]).write_text("my own")
    assert course(tree) == (folder, "")
    assert (folder / LESSONS[0]).read_text() == "my own"
    (folder / LESSONS[1]).unlink()
    course(tree)
    assert held(folder) == LESSONS


def test_a_newer_lesson_takes_the_place_of_a_copy_that_was_not_changed(tree: Path) -> None:
    course(tree)
    (tree / "notebooks" / LESSONS[0]).write_text("newer")
    folder, said = course(tree)
    assert (folder / LESSONS[0]).read_text() == "newer"
    assert "updated" in said
    assert held(folder) == LESSONS
    assert course(tree)[1] == ""


def test_a_newer_lesson_comes_beside_a_copy_that_was_changed(tree: Path) -> None:
    folder, _said = course(tree)
    stem = Path(LESSONS[0]).stem
    for number in (2, 3):
        (folder / LESSONS[0]).write_text("my own")
        (tree / "notebooks" / LESSONS[0]).write_text(f"version {number}")
        said = course(tree)[1]
        assert f"{stem}-{number}.ipynb. Yours stays" in said
        assert (folder / LESSONS[0]).read_text() == "my own"
        assert (folder / f"{stem}-{number}.ipynb").read_text() == f"version {number}"
        assert course(tree)[1] == "", "it is told once"


def test_the_folder_may_be_another(tree: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "a place of mine"
    assert course(tree, XDPLAB_COURSE=str(wanted))[0] == wanted
    assert held(wanted) == LESSONS


def test_where_the_tree_can_not_be_written_it_is_in_the_home_folder(
    tree: Path, tmp_path: Path
) -> None:
    (tree / "course").write_text("no folder")
    assert course(tree, HOME=str(tmp_path))[0] == tmp_path / "xdplab-course"


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
