"""The container of binder/, built and run without docker, in namespaces of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence

import pytest
from container import Container, as_docker_root, as_user, refusing
from dockerfile import read_dockerfile
from image import DOCKERFILE, SOURCE, Image
from support.courses import needs_kernel

from xdplab import WAIT_STRATEGIES

# The first one installs a Debian and all that packages.txt and pyproject.toml name.
pytestmark = [pytest.mark.timeout(1500), pytest.mark.privilege]

GIBIBYTE = 1 << 30
WITH_CAPABILITIES = SOURCE / "scripts" / "with-capabilities"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Build it; that takes root's privileges, for which continuous integration has to see."""
    if os.geteuid() != 0:
        reason = "building a root folder and entering it needs root"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return Image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def uid(image: Image) -> int:
    assert image.user == image.variables["NB_USER"]
    return int(image.variables["NB_UID"])


def run(container: Container, *command: str, timeout: float = 300) -> str:
    done = container.run(command, timeout=timeout)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def visitor(uid: int) -> list[str]:
    """Return what to put before a command of mybinder.org's user, on one core with 2 GiB."""
    # The server and a kernel are two processes, of which each gets half.
    small = ["taskset", "--cpu-list", "0", "prlimit", f"--data={GIBIBYTE}"]
    return [*refusing(), *as_user(uid), *small]


def test_the_dockerfile_runs_nothing_but_the_tested_script_on_a_base_of_a_known_date() -> None:
    instructions = read_dockerfile(DOCKERFILE)
    (base,) = [each.rest for each in instructions if each.name == "FROM"]
    assert re.fullmatch(r"debian:bookworm-20\d{6}-slim", base)
    runs = [each.rest for each in instructions if each.name == "RUN"]
    assert runs
    assert all(each.startswith("binder/install ") for each in runs)


def test_the_script_says_how_it_is_called() -> None:
    script = SOURCE / "binder" / "install"
    done = subprocess.run([script, "everything"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: binder/install packages | xdplab USER UID" in done.stderr


def test_the_repository_and_its_home_are_the_users(image: Image, uid: int) -> None:
    inside = image.container
    who = [*refusing(), *as_user(uid)]
    strangers = "find ~ ! -user $(id -u) | head; touch ~/here notebooks/here && rm ~/here */here"
    assert run(inside, *who, "sh", "-c", strangers) == ""
    programs = ("jupyter-lab", "jupyter-notebook", "jupyterhub-singleuser", "xdplab")
    for program in programs:
        assert run(inside, *who, program, "--version" if program[0] == "j" else "--help")
    where = (
        "import xdplab, xdplab.native._engine as engine; print(xdplab.__file__, engine.__file__)"
    )
    installed = run(inside, *who, "env", "--chdir=/", "python", "-c", where).split()
    assert all(file.startswith("/opt/xdplab/") for file in installed)


def test_jupyterlab_starts_and_every_notebook_runs_without_any_privilege(
    image: Image, uid: int
) -> None:
    done = run(
        image.container,
        *visitor(uid),
        *("env", "PYTHONPATH=tests", "python", "tests/binder/visitor.py", *image.command),
        timeout=900,
    )
    seen = json.loads(done.splitlines()[-1])
    assert (seen["status"], seen["lab"], seen["is_lab"]) == (200, 200, True)
    lessons = SOURCE.glob("notebooks/*.ipynb")
    assert set(seen["notebooks"]) == {path.stem for path in lessons if not needs_kernel(path)}
    # Four strategies of io_uring's are refused.
    said = seen["notebooks"]["03-how-should-a-thread-wait"]["text"]
    settings = len(WAIT_STRATEGIES)
    words = f"<Measurements of {settings} settings [simulated], {settings - 4} of them measured>"
    assert words in said
    print({name: round(each["seconds"]) for name, each in seen["notebooks"].items()})
    print(seen["largest_process"] >> 20, "MiB in the largest process")


def test_the_doctor_tells_what_the_container_refuses(image: Image, uid: int) -> None:
    done = image.container.run([*visitor(uid), "xdplab", "doctor", "--json"])
    found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert not [each for each in found.values() if "could not be examined" in each["seen"]]
    assert "seccomp filter" in found["io_uring"]["seen"]
    assert found["user namespaces"]["verdict"] == "limited"
    assert found["cores"]["verdict"] == "limited"
    assert found["capture"]["verdict"] == "missing"
    assert found["backends"]["seen"] == "labs use soft, which only simulates; these work: soft"


def added_capabilities() -> list[str]:
    """Return those that a capture needs, as the repository's own list has them."""
    listed = re.search(r"capabilities=\((.*?)\)\n", WITH_CAPABILITIES.read_text(), re.DOTALL)
    assert listed
    return re.findall(r"^ +(\w+) +#", listed[1], re.MULTILINE)


def started(image: Image, root: Sequence[str], *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command by way of the start script, as docker's root."""
    return image.container.run([*root, *image.command, *command], timeout=120)


def test_with_added_capabilities_the_same_image_captures_with_real_af_xdp(
    image: Image, uid: int
) -> None:
    added = added_capabilities()
    root = [*refusing(added=True), *as_docker_root(*added)]
    done = started(image, root, "xdplab", "run", "--seconds", "1", "--traffic", "1000", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert not report["simulated"]
    assert report["balanced"]
    assert report["rx_packets"] > 0

    status = started(image, root, "cat", "/proc/self/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert fields["Uid"].split() == [str(uid)] * 4
    bits = {"net_admin": 12, "net_raw": 13, "ipc_lock": 14, "sys_admin": 21}
    exactly = f"{sum(1 << bits[name] for name in added):016x}"
    assert {fields[f"Cap{each}"] for each in ("Prm", "Eff", "Amb", "Bnd")} == {exactly}


def test_root_without_added_capabilities_is_told_which_and_becomes_the_user(
    image: Image, uid: int
) -> None:
    root = [*refusing(), *as_docker_root()]
    done = started(image, root, "sh", "-c", "id -u; grep CapEff /proc/self/status")
    assert done.stdout.split() == [str(uid), "CapEff:", "0" * 16]
    for name in added_capabilities():
        assert f"--cap-add {name}" in done.stderr
