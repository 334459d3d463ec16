"""Imports and includes go one way: a folder knows those below it, and a test knows no other."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.installs import SOURCE

# The folders of native/, the lowest first; public headers are defined by others.
NATIVE = (
    *("include", "base", "fields", "region", "shared", "privilege", "xdp", "xsk"),
    *("wait", "receive", "act", "send", "soft", "worker"),
)

# The finder of an editable install does not tell where the package's folders are.
LINT = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in type(f).__module__]
sys.path.insert(0, sys.argv[1])
from importlinter.cli import lint_imports_command
lint_imports_command(["--no-cache", "--config", sys.argv[1] + "/pyproject.toml"])
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(
        SOURCE / "xdplab", tmp_path / "xdplab", ignore=shutil.ignore_patterns("_*cache*")
    )
    shutil.copy(SOURCE / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", LINT, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_packages_import_in_one_direction(copied: Path) -> None:
    done = lint(copied)
    assert done.returncode == 0, done.stdout
    assert "Imports go one way KEPT" in done.stdout
    assert "No widget imports another KEPT" in done.stdout


@pytest.mark.parametrize(
    "planted", ["from xdplab.engine.engine import Engine", "import xdplab.net.host"]
)
def test_an_import_against_the_direction_is_found(copied: Path, planted: str) -> None:
    module = copied / "xdplab" / "core" / "cores.py"
    module.write_text(f"{module.read_text()}\n\ndef planted() -> None:\n    {planted}\n")
    done = lint(copied)
    assert done.returncode != 0
    assert "xdplab.core.cores -> " in done.stdout


@pytest.mark.parametrize(
    ("folder", "other"), [("front", "sweep.cells"), ("live", "pictures.picture"), ("base", "style")]
)
def test_a_widget_that_imports_another_is_found(copied: Path, folder: str, other: str) -> None:
    module = copied / "xdplab" / "widgets" / folder / "__init__.py"
    module.write_text(
        f"{module.read_text()}\n\ndef planted() -> None:\n    import xdplab.widgets.{other}\n"
    )
    done = lint(copied)
    assert "Imports go one way KEPT" in done.stdout
    assert "No widget imports another BROKEN" in done.stdout
    assert f"xdplab.widgets.{folder} -> xdplab.widgets.{other}" in done.stdout


def test_a_package_that_the_order_does_not_name_is_found(copied: Path) -> None:
    (copied / "xdplab" / "new").mkdir()
    (copied / "xdplab" / "new" / "__init__.py").touch()
    assert lint(copied).returncode != 0


def upward_includes(native: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(native.glob("*/*.[ch]")):
        for included in re.findall(r'^#include "([^"]+)"', file.read_text(), re.MULTILINE):
            folders = file.parent.name, Path(included).parent.name
            if NATIVE.index(folders[1]) > NATIVE.index(folders[0]):
                yield str(file.relative_to(native)), included


def test_the_engine_includes_in_one_direction() -> None:
    assert not list(upward_includes(SOURCE / "native"))


def test_an_include_against_the_direction_is_found(tmp_path: Path) -> None:
    shutil.copytree(SOURCE / "native", tmp_path / "native")
    planted = tmp_path / "native" / "base" / "clock.c"
    planted.write_text(f'#include "xsk/umem.h"\n{planted.read_text()}')
    assert ("base/clock.c", "xsk/umem.h") in upward_includes(tmp_path / "native")


def imports_of_tests(folder: Path) -> Iterator[tuple[str, str]]:
    """Find where a Python file below a folder imports a test file, or a conftest.py."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [
                name.name for name in getattr(node, "names", []) if isinstance(node, ast.Import)
            ]
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(name.name for name in node.names)]
            for name in names:
                if re.match(r"test_|conftest$", name.rpartition(".")[2]):
                    yield str(file.relative_to(folder)), name


def test_no_test_file_is_a_library_for_another() -> None:
    assert not list(imports_of_tests(SOURCE / "tests"))


@pytest.mark.parametrize(
    "planted",
    [
        "from test_b import one",
        "import test_b",
        "def f():\n    import widgets.test_b",
        "from . import test_b",
    ],
)
def test_a_test_file_that_imports_another_is_found(tmp_path: Path, planted: str) -> None:
    (tmp_path / "test_a.py").write_text(f"{planted}\n")
    assert [file for file, _ in imports_of_tests(tmp_path)] == ["test_a.py"]
