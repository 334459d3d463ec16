"""Where the broker starts from, and where it refuses to."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.brokers import GROUP, Broker, Start
from support.clients import as_user, own_network

from xdplab.broker import protocol
from xdplab.broker.client import connect

ROOTS = 0
OTHER = 65534


def refusal(*command: str | Path, **options: object) -> str:
    done = subprocess.run(
        [*command, "--group", GROUP],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )  # type: ignore[call-overload]
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return str(done.stderr)


@pytest.fixture
def copied(root: None, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the install, for a test to spoil."""
    folder = tmp_path_factory.mktemp("copied")
    shutil.copytree(installed, folder, symlinks=True, dirs_exist_ok=True)
    return folder


def start(install: Path) -> tuple[str | Path, ...]:
    return install / "bin" / "python", "-I", "-m", "xdplab.broker", "--socket", install / "socket"


def package(install: Path) -> Path:
    (found,) = install.glob("lib/python3*/site-packages/xdplab")
    return found


def test_an_editable_install_is_refused_with_how_to_install(root: None) -> None:
    said = refusal(sys.executable, "-m", "xdplab.broker")
    assert "editable" in said
    assert "sudo python3 -m venv /opt/xdplab" in said


@pytest.mark.parametrize("place", ["", "broker/daemon/session.py", "..", "../../.."])
def test_code_that_another_user_owns_is_refused(copied: Path, place: str) -> None:
    spoilt = package(copied) / place
    os.chown(spoilt, OTHER, ROOTS)
    said = refusal(*start(copied))
    assert f"belongs to user {OTHER}" in said
    assert "sudo /opt/xdplab/bin/pip install ." in said


@pytest.mark.parametrize("mode", [0o775, 0o757])
@pytest.mark.parametrize("place", ["broker/protocol.py", "..", "../../../../bin"])
def test_code_that_a_group_or_all_can_write_is_refused(copied: Path, place: str, mode: int) -> None:
    (package(copied) / place).chmod(mode)
    assert "can be written by others than root" in refusal(*start(copied))


RUN_BY_ROOT = {
    "configuration of the interpreter": "../../../../pyvenv.cfg",
    "command that starts it": "../../../../bin/xdplab",
    "command beside that": "../../../../bin/activate",
    "list of folders to import from": "../of-the-tests.pth",
    "module that is not there yet": "../sitecustomize.py",
    "module that a package looks for": "../_manylinux.py",
}


@pytest.mark.parametrize("what", RUN_BY_ROOT)
def test_whatever_root_may_come_to_run_is_looked_at(copied: Path, what: str) -> None:
    spoilt = package(copied) / RUN_BY_ROOT[what]
    spoilt.touch()
    spoilt.chmod(0o666)
    said = refusal(*start(copied))
    assert f"{spoilt.resolve()} can be written" in said or f"/{spoilt.name} can be written" in said


def test_a_link_counts_with_where_it_leads(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").touch()
    (tmp_path / "elsewhere.py").chmod(0o666)
    (package(copied).parent / "usercustomize.py").symlink_to(tmp_path / "elsewhere.py")
    assert "elsewhere.py can be written" in refusal(*start(copied))


def test_a_folder_that_anybody_could_make_is_refused(copied: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="xdplab-nothing-", dir="/tmp") as gone:
        pass
    (package(copied).parent / "more.pth").write_text(f"import sys; sys.path.append({gone!r})\n")
    assert "/tmp can be written by others" in refusal(*start(copied))


def test_a_folder_to_import_from_that_another_user_can_write_is_refused(
    copied: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    (package(copied).parent / "more.pth").write_text(f"{tmp_path}\n")
    assert f"{tmp_path} can be written" in refusal(*start(copied))


def test_a_package_that_is_yet_to_be_imported_is_looked_at_first(copied: Path) -> None:
    packages = package(copied).parent
    (found,) = importlib.util.find_spec("pyroute2").submodule_search_locations  # type: ignore[union-attr,misc]
    shutil.copytree(found, packages / "pyroute2")
    os.chown(packages / "pyroute2" / "netlink" / "generic" / "__init__.py", OTHER, ROOTS)
    assert f"generic/__init__.py belongs to user {OTHER}" in refusal(*start(copied))


def test_an_interpreter_of_another_users_is_refused(copied: Path, tmp_path: Path) -> None:
    interpreter = tmp_path / "python"
    shutil.copy(Path(sys.executable).resolve(), interpreter)
    os.chown(interpreter, OTHER, ROOTS)
    (copied / "bin" / "python").unlink()
    (copied / "bin" / "python").symlink_to(interpreter)
    assert f"{interpreter} belongs to user {OTHER}" in refusal(*start(copied))


def test_who_is_not_root_is_told_so(installed: Path, root: None) -> None:
    said = as_user(lambda: refusal(*start(installed)))
    assert "Run it as root" in said


def test_in_a_user_namespace_it_is_refused(installed: Path, root: None) -> None:
    assert "rootless" in refusal("unshare", "--user", "--map-root-user", *start(installed))


def test_a_group_that_is_not_there_is_named(installed: Path, root: None) -> None:
    command = [*map(str, start(installed)), "--group", "no-such-group"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "groupadd no-such-group" in done.stderr


def test_nothing_of_who_starts_it_is_imported(start_broker: Start, tmp_path: Path) -> None:
    trap = "from pathlib import Path; Path(__file__).with_suffix('.sprung').touch()"
    for name in ("json", "socket", "sitecustomize", "usercustomize", "xdplab", "numpy", "start"):
        (tmp_path / f"{name}.py").write_text(trap)
    tmp_path.chmod(0o777)
    environment = ("env", "-C", str(tmp_path), f"PYTHONSTARTUP={tmp_path}/start.py")
    # The command itself begins as any Python program does; what it starts takes none of this.
    broker = start_broker(before=(*environment, f"PYTHONUSERBASE={tmp_path}"))
    assert not list(tmp_path.glob("*.sprung"))
    process = Path(f"/proc/{broker.process.pid}")
    seen = dict(
        line.split("=", 1) for line in (process / "environ").read_text().split("\0") if line
    )
    assert not [name for name in seen if name.startswith(("PYTHON", "LD_"))]
    assert (process / "cwd").readlink() == Path("/")


def test_a_second_broker_at_the_same_place_is_refused(broker: Broker, installed: Path) -> None:
    command = installed / "bin" / "python", "-I", "-m", "xdplab.broker", "--socket", broker.socket
    assert "A broker runs there" in refusal(*command)


def test_a_file_in_its_place_is_not_removed(installed: Path, root: None, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("words")
    command = installed / "bin" / "python", "-I", "-m", "xdplab.broker"
    assert "EADDRINUSE" in refusal(*command, "--socket", tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "words"


def test_systemd_may_pass_the_socket(installed: Path, root: None) -> None:
    """As in sd_listen_fds(3): descriptor 3, and the process's own number in the environment."""
    folder = Path(tempfile.mkdtemp(prefix="xdplab-passed-"))
    folder.chmod(0o755)
    path = folder / "passed"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o666)
        python = installed / "bin" / "python"
        script = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); "
            "os.environ['LISTEN_PID'] = str(os.getpid()); os.execv(sys.argv[2], sys.argv[2:])"
        )
        command = [sys.executable, "-c", script, str(listener.fileno()), str(python), "-I", "-m"]
        with subprocess.Popen(
            [*command, "xdplab.broker", "--group", GROUP],
            env={**os.environ, "LISTEN_FDS": "1"},
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            assert "serves" in process.stderr.readline()

            def client() -> str:
                with connect(protocol.NETWORK, descriptor=own_network(), path=str(path)) as made:
                    return json.dumps(made.answer)

            assert as_user(client) == "{}"
            process.terminate()
    assert path.exists()  # it is systemd's
    shutil.rmtree(folder)
