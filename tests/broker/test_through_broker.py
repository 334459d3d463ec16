"""Labs, engines and generators of a user without any privilege, through a broker."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from support.brokers import Broker
from support.child_programs import line
from support.ended_namespaces import Witness
from support.programs import client
from support.waiting import eventually

pytestmark = pytest.mark.privilege  # it starts a broker, and becomes another user


def test_every_packet_is_accounted_for_without_privilege(broker: Broker, installed: Path) -> None:
    text = """
import json
from xdplab import Engine, Lab, Ledger, Traffic
with Lab() as lab, Engine(lab.port, wait="uring-multishot") as engine:
    with Traffic(lab.peer, lab.port, rate=5_000, count=2_000) as traffic:
        ledger = Ledger(engine, traffic)
        traffic.wait(60)
        account = ledger.settle(30)
    received = int(engine.telemetry.total()["rx_packets"])
    print(json.dumps([lab.backend, lab.simulated, account.balanced, traffic.sent, received]))
    print(json.dumps([traffic.asked, traffic.sending_seconds]))
"""
    with client(installed, broker.socket, text) as process:
        backend, simulated, balanced, sent, received = json.loads(line(process))
        asked, seconds = json.loads(line(process))
    assert (backend, simulated, balanced) == ("broker", False, True)
    assert sent == received == 2_000
    assert 1_990 <= asked <= 2_000
    assert seconds >= 0.39


@pytest.mark.parametrize("path", ["udp-uring", "packet-mmap", "xdp"])
def test_other_paths_receive_too(broker: Broker, installed: Path, path: str) -> None:
    text = f"""
from xdplab import Engine, Lab, Traffic
with Lab() as lab, Engine(lab.port, path={path!r}) as engine:
    with Traffic(lab.peer, lab.port, rate=2_000, count=200) as traffic:
        traffic.wait(60)
        while engine.telemetry.counters()["rx_packets"] < 200:
            pass
    print(engine.verdicts().redirected)
"""
    with client(installed, broker.socket, text) as process:
        assert int(line(process)) >= 200  # the stack's own frames are a packet socket's, too


def test_a_umem_above_the_limit_on_locked_memory_is_pinned_by_the_broker(
    broker: Broker, installed: Path
) -> None:
    text = """
import resource
resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 20, 1 << 20))
from xdplab import Engine, Lab
with Lab() as lab, Engine(lab.port, ring_size=4096) as engine:
    print(engine.running)
"""
    with client(installed, broker.socket, text) as process:
        assert line(process) == "True"


def test_refusals_are_those_of_the_kernel(broker: Broker, installed: Path) -> None:
    text = """
from xdplab import Engine, Lab, QueueBusyError
with Lab() as lab, Engine(lab.port) as engine:
    try:
        Engine(lab.port)
    except QueueBusyError as error:
        print(error)
"""
    with client(installed, broker.socket, text) as process:
        assert "EBUSY" in line(process)


def test_napi_is_set_and_put_back(broker: Broker, installed: Path) -> None:
    text = """
from xdplab import Engine, Lab
with Lab() as lab:
    engine = Engine(lab.port)
    before = engine.napi.defer_hard_irqs
    engine.napi.defer_hard_irqs = before + 3
    changed = engine.napi.defer_hard_irqs
    engine.close()
    with Engine(lab.port) as engine:
        print(changed - before, engine.napi.defer_hard_irqs - before)
"""
    with client(installed, broker.socket, text) as process:
        assert line(process) == "3 0"


def test_a_thread_that_busy_polls_is_refused_with_the_reason(
    broker: Broker, installed: Path
) -> None:
    text = """
from xdplab import Engine, Lab, XdplabError
with Lab() as lab, Engine(lab.port) as engine:
    try:
        engine.napi.threaded = "busy-poll"
    except XdplabError as error:
        print(engine.napi.threaded, error)
"""
    with client(installed, broker.socket, text) as process:
        assert re.match(r"False .*lets no thread of the kernel busy-poll: .*core", line(process))


def test_without_a_broker_it_says_how_to_start_one(installed: Path) -> None:
    text = """
from xdplab import Lab, PermissionRefusedError
try:
    Lab()
except PermissionRefusedError as error:
    print(error)
"""
    with client(installed, "/run/nobody-is-here", text) as process:
        assert "No broker runs here. Once installed as docs/without-root.md says" in line(process)


STEPS = """
import os, sys, time
from xdplab import Engine, Lab, Traffic
from xdplab.broker.client import Connection
from xdplab.backends.lab_process.client import LabProcess

def counted(plain):
    def call(*args, **kwargs):
        global left
        result = plain(*args, **kwargs)
        left -= 1
        if left == 0:
            print("here", flush=True)
            time.sleep(100)
        return result
    return call

LabProcess.call = counted(LabProcess.call)
Connection._exchange = counted(Connection._exchange)
for step in sys.stdin:
    child = os.fork()
    if not child:
        print(os.getpid(), flush=True)
        left = int(step)
        with Lab() as lab, Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=100):
            left = 0
            print("made", flush=True)
            time.sleep(100)
    os.waitpid(child, 0)
"""


def test_whatever_step_a_client_is_killed_at_nothing_is_left(
    broker: Broker, installed: Path
) -> None:
    with client(installed, broker.socket, STEPS) as process:
        assert process.stdin is not None
        step, reached = 0, "here"
        while reached == "here":
            step += 1
            print(step, file=process.stdin, flush=True)
            child = int(line(process))
            reached = line(process)
            started = _children(child)
            witness = Witness(child)
            os.kill(child, signal.SIGKILL)
            assert witness.sees_the_end(), step
            assert broker.is_quiet(), step
            assert eventually(lambda: not any(_lives(each) for each in started)), step  # noqa: B023
        assert (reached, step > 15) == ("made", True)


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for each in found for child in each.read_text().split()]


def _lives(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
