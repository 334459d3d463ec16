"""Whatever dies, and wherever it is just then: nothing of it is left."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.brokers import Broker, Start
from support.clients import Report, as_user, make_veth, own_network, puppet
from support.ended_namespaces import Witness
from support.requests import GOOD
from support.waiting import eventually

from xdplab.broker import protocol
from xdplab.broker.client import Connection, connect

PROGRAM_BY_ID = 13  # BPF_PROG_GET_FD_BY_ID
LIBC = ctypes.CDLL(None, use_errno=True)


def loaded_programs(process: int) -> set[int]:
    """Find the programs whose links a process holds."""
    infos = [each.read_text() for each in Path(f"/proc/{process}/fdinfo").iterdir()]
    return {int(number) for info in infos for number in re.findall(r"prog_id:\s+(\d+)", info)}


def is_loaded(program: int) -> bool:
    class ById(ctypes.Structure):  # union bpf_attr
        _fields_ = (("number", ctypes.c_uint32), ("rest", ctypes.c_uint32 * 3))

    request = ById(program)
    found = LIBC.syscall(321, PROGRAM_BY_ID, ctypes.byref(request), ctypes.sizeof(request))
    if found < 0:
        assert ctypes.get_errno() == errno.ENOENT
        return False
    os.close(found)
    return True


def makes_everything(path: str, last: str = "") -> Callable[[Report], object]:
    """Return a client that takes all that a session gives, step by step, up to the last."""

    def client(report: Report) -> object:
        def reach(step: str) -> None:
            report(step)
            if step == last:
                signal.pause()

        reach("started")
        connections = [connect(protocol.LAB, path=path)]
        reach("lab")
        namespace = own_network()
        reach("namespace")
        port, peer = make_veth()
        reach("wire")
        connections.append(connect(protocol.NETWORK, descriptor=namespace, path=path))
        reach("connected")
        held = [connections[1].request("attach", {**GOOD["attach"], "interface": port})]
        reach("attached")
        connections.append(connect(protocol.NETWORK, descriptor=namespace, path=path))
        generator = connections[2]
        stream = {**GOOD["generator_open"]["stream"], "limit_frames": 0}
        request = {**GOOD["generator_open"], "interface": peer, "stream": stream}
        held.append(generator.request("generator_open", request))
        reach("generator")
        generator.request("generator_start")
        reach("sending")
        connections.append(connect(protocol.SOFTIRQ, path=path))
        reach("clock")
        return connections, held

    return client


STEPS = [
    "started",
    "lab",
    "namespace",
    "wire",
    "connected",
    "attached",
    "generator",
    "sending",
    "clock",
]


@pytest.mark.parametrize("step", STEPS)
def test_a_client_that_is_killed_leaves_nothing(broker: Broker, step: str) -> None:
    with puppet(makes_everything(broker.socket, step)) as client:
        while (reached := client.report()) != step:
            assert reached in STEPS, reached
        witness = Witness(client.process)
        programs = loaded_programs(client.process)
        assert programs or STEPS.index(step) < STEPS.index("attached")
        client.kill()
        assert broker.is_quiet()
        assert witness.sees_the_end()
    assert eventually(lambda: not any(map(is_loaded, programs)))


def test_a_client_whose_child_lives_on_leaves_nothing(broker: Broker) -> None:
    def client(report: Report) -> object:
        held = connect(protocol.NETWORK, descriptor=own_network(), path=broker.socket)
        child = os.fork()
        if child == 0:
            signal.pause()
        report(str(child))
        return held

    with puppet(client) as made:
        child = int(made.report())
        try:
            made.kill()
            assert broker.is_quiet()
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_broker_that_ends_takes_its_sessions_with_it(
    start_broker: Start, way: signal.Signals
) -> None:
    broker = start_broker()
    with puppet(makes_everything(broker.socket)) as client:
        while client.report() != "done":
            pass
        sessions = broker.sessions()
        assert len(sessions) == 4
        broker.process.send_signal(way)
        broker.process.wait(30)
        assert eventually(lambda: not any(Path(f"/proc/{each}/fd").exists() for each in sessions))
        # What was given is the client's, and stays.
        assert loaded_programs(client.process)
    assert Path(broker.socket).exists() == (way == signal.SIGKILL)


def test_a_new_broker_takes_the_place_of_one_that_was_killed(start_broker: Start) -> None:
    first = start_broker()
    first.process.kill()
    first.process.wait()
    second = start_broker("--socket", first.socket)

    def client() -> Connection | bool:
        return not connect(
            protocol.NETWORK, descriptor=own_network(), path=first.socket
        ).descriptors

    assert as_user(client)
    assert second.is_quiet()
