"""Without descriptors or threads: an error that says so and what helps, and no word beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.child_programs import python

pytestmark = pytest.mark.usefixtures("privileged")
PIDS = Path("/sys/fs/cgroup/pids")

DOORS = """
import os, resource, sys
from xdplab import Engine, Interface, Lab, Traffic, XdplabError
from xdplab.experiments.measure import measure

lab = Lab()
engine = Engine(lab.port)
traffic = Traffic(lab.peer, lab.port, rate=1000)
engine.start()
measure(engine, traffic, 0.05)  # loads what is loaded at first use
engine.stop()
DOORS = {
    "lab": lambda: Lab().close(),
    "find": lambda: Interface.find("lo"),
    "ledger": lambda: engine.ledger().read(),
    "napi": lambda: engine.napi.read(),
    "start": lambda: engine.start().stop(),
    "measure": lambda: measure(engine.start(), traffic, 0.05),
    "reconfigure": lambda: engine.reconfigure(ring_size=1024),
    "traffic": lambda: Traffic(lab.port, lab.peer).close(),
    "ping": lambda: lab.port.ping(lab.peer.ipv4),
}


def try_all(expected):
    for name, door in DOORS.items():
        scarce()
        try:
            door()
        except XdplabError as error:
            if expected not in str(error):
                print(name, error, flush=True)
        except BaseException as error:
            print(name, repr(error), flush=True)
        finally:
            plenty()
"""
END = """
print(engine.start().running, flush=True)
"""


def test_without_descriptors_every_door_says_so_and_nothing_else_is_printed(tmp_path: Path) -> None:
    script = """
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
held = []


def scarce():
    try:
        while True:
            held.append(os.eventfd(0))
    except OSError:
        for _ in range(spare):
            os.close(held.pop())


def plenty():
    while held:
        os.close(held.pop())


for spare in range(0, 12, 2):
    try_all("EMFILE")
"""
    errors = tmp_path / "errors"
    errors.touch()
    redirected = f"import os\nos.dup2(os.open({str(errors)!r}, os.O_WRONLY), 2)\n"
    with python(redirected + DOORS + script + END) as process:
        said, _ = process.communicate(timeout=120)
    assert said == "True\n"
    assert errors.read_text() == ""


@pytest.mark.kernel
@pytest.mark.privilege
def test_without_threads_every_door_says_so() -> None:
    if not os.access(PIDS, os.W_OK):
        pytest.skip("no cgroup of the first version for processes is mounted here")
    group = PIDS / f"xdplab-test-{os.getpid()}"
    group.mkdir()
    script = f"""
group, most = {str(group)!r}, "/pids.max"
open(group + "/cgroup.procs", "w").write(str(os.getpid()))


def scarce():
    current = int(open(group + "/pids.current").read())
    open(group + most, "w").write(str(current + spare))


def plenty():
    open(group + most, "w").write("max")


for spare in range(3):
    try_all("EAGAIN")
open({str(PIDS / "cgroup.procs")!r}, "w").write(str(os.getpid()))
"""
    try:
        with python(DOORS + script + END) as process:
            said, _ = process.communicate(timeout=120)
        assert said == "True\n"
    finally:
        group.rmdir()
