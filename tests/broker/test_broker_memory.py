"""What one user can hold of the machine's memory, through however many sessions."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from support.brokers import Broker
from support.clients import Report, as_user, make_veth, own_network, puppet
from support.objects import HEAD, sealed
from support.requests import AF_XDP, GOOD, memory
from support.waiting import eventually

from xdplab.broker import protocol
from xdplab.broker.client import Connection, connect
from xdplab.broker.daemon.limits import Limits, memory_to_spare
from xdplab.broker.daemon.listener_link import (
    GRANTED,
    MACHINE_HAS_NONE,
    MAP,
    USER_HAS_ITS_SHARE,
    Held,
)
from xdplab.broker.daemon.memory_held import Holdings
from xdplab.core.errors import KernelError

pytestmark = pytest.mark.privilege  # it starts a broker, and becomes another user

MEBIBYTE = 1 << 20
SHRINK = fcntl.F_SEAL_SHRINK
SIXTEEN = {**GOOD["register_umem"], "frame_count": 16 * MEBIBYTE // 4096}
# linux/if_xdp.h
SOL_XDP, XDP_UMEM_REG = 283, 4
LARGE = f"""{HEAD}
struct large {{ char bytes[4096]; }};
struct {{ __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 3900); __type(key, __u32);
         __type(value, struct large); }} held SEC(".maps");
SEC("xdp") int holds(struct xdp_md *context)
{{ __u32 key = 0; return bpf_map_lookup_elem(&held, &key) ? XDP_PASS : XDP_DROP; }}
"""


def fill(path: str, once: Callable[[Connection, int], object], sessions: int) -> list[object]:
    """Ask through several sessions in turn until the broker has no more for this user."""
    namespace = own_network()
    port, _ = make_veth()
    connections = [
        connect(protocol.NETWORK, descriptor=namespace, path=path) for _ in range(sessions)
    ]
    held: list[object] = []
    while len(held) < 200:
        try:
            held.append(once(connections[len(held) % sessions], port))
        except KernelError as error:
            assert error.errno == errno.ENOBUFS, len(held)
            assert "one user in all" in str(error)
            break
    for each in connections:
        each.close()
    return held


def attach_large(data: bytes) -> Callable[[Connection, int], int]:
    def once(connection: Connection, port: int) -> int:
        file = sealed(data)
        try:
            answer, (kept,) = connection.request("load_object", {"name": "", "queues": 1}, [file])
        finally:
            os.close(file)
        program = {"program": answer["program"]}
        where = {**program, "interface": port, "attach_mode": 0}
        _, (link,) = connection.request("attach_object", where)
        os.close(link)
        connection.request("unload_object", program)
        return kept

    return once


def register(connection: Connection, _port: int) -> socket.socket:
    xsk = socket.socket(AF_XDP, socket.SOCK_RAW, 0)
    frames = memory(16 * MEBIBYTE, SHRINK)
    try:
        connection.request("register_umem", SIXTEEN, [xsk.fileno(), frames])
    finally:
        os.close(frames)
    return xsk


@pytest.mark.parametrize("sessions", [1, 5])
def test_maps_count_for_their_user_as_long_as_they_are_held(
    broker: Broker, compiled: Callable[[str], bytes], sessions: int
) -> None:
    data = compiled(LARGE)

    def client() -> tuple[int, int]:
        held = fill(broker.socket, attach_large(data), sessions)
        again = fill(broker.socket, attach_large(data), 1)  # their sessions have ended
        assert not again
        for each in held:
            os.close(each)  # type: ignore[arg-type]
        return len(held), len(fill(broker.socket, attach_large(data), 1))

    first, second = as_user(client)
    assert 20 < first <= Limits().memory // (15 * MEBIBYTE)
    assert second == first


@pytest.mark.parametrize("sessions", [1, 5])
def test_umems_count_for_their_user_as_long_as_their_sockets_are_open(
    broker: Broker, sessions: int
) -> None:
    def client() -> tuple[int, int, int]:
        held = fill(broker.socket, register, sessions)
        again = fill(broker.socket, register, 1)
        copies = [each.dup() for each in held]  # type: ignore[attr-defined]
        for each in held:
            each.close()  # type: ignore[attr-defined]
        kept = fill(broker.socket, register, 1)  # the copies hold them still
        for each in copies:
            each.close()
        return len(held), len(again) + len(kept), len(fill(broker.socket, register, 1))

    try:
        first, meanwhile, second = as_user(client)
    except AssertionError:
        print(broker.log())
        raise
    most = Limits().memory // (16 * MEBIBYTE)
    assert (first, meanwhile, second) == (most, 0, most)


def is_stopped(process: int) -> bool:
    """Tell whether a process stands still, on its way back from the kernel."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def killed_when_it_registers(broker: Broker, namespace: int) -> socket.socket:
    """Stop a session in the kernel's call that registers a UMEM, and kill it as that returns."""
    xsk, frames = socket.socket(AF_XDP, socket.SOCK_RAW, 0), memory(16 * MEBIBYTE, SHRINK)
    with connect(protocol.NETWORK, descriptor=namespace, path=broker.socket) as connection:
        process = broker.sessions()[-1]
        request = protocol.encode_request("register_umem", SIXTEEN)
        protocol.send(connection.socket, request, [xsk.fileno(), frames])
        # The kernel fills it as it pins it, which a stop does not interrupt.
        assert eventually(lambda: os.fstat(frames).st_blocks)
        os.kill(process, signal.SIGSTOP)
        assert eventually(lambda: os.fstat(frames).st_blocks * 512 >= 16 * MEBIBYTE)
        assert eventually(lambda: is_stopped(process))
        os.kill(process, signal.SIGKILL)
    os.close(frames)
    return xsk


def has_a_umem(xsk: socket.socket) -> bool:
    try:
        xsk.setsockopt(SOL_XDP, XDP_UMEM_REG, bytes(32))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def test_a_umem_counts_though_its_session_was_killed_as_it_made_it(broker: Broker) -> None:
    def client() -> int:
        namespace, held = own_network(), []
        for _ in range(Limits().memory // (16 * MEBIBYTE)):
            xsk = killed_when_it_registers(broker, namespace)
            if has_a_umem(xsk):
                held.append(xsk)
        assert held
        return len(held) + len(fill(broker.socket, register, 1))

    assert as_user(client) == Limits().memory // (16 * MEBIBYTE)


def test_what_one_user_holds_leaves_another_its_share(broker: Broker) -> None:
    def client(_report: Report) -> object:
        return fill(broker.socket, register, 2)

    with puppet(client) as made:
        assert made.report() == "done"
        held = as_user(lambda: len(fill(broker.socket, register, 1)), user=65533)
        assert held == Limits().memory // (16 * MEBIBYTE)


def test_requests_at_once_do_not_pass_a_reserve_for_two() -> None:
    holdings = Holdings(Limits(), to_spare=lambda: 40 * MEBIBYTE)
    answers = [holdings.reserve(session, session, 16 * MEBIBYTE) for session in range(16)]
    assert answers == [GRANTED, GRANTED, *[MACHINE_HAS_NONE] * 14]
    holdings.end(0)
    assert holdings.reserve(20, 20, 16 * MEBIBYTE) == GRANTED
    holdings.keep(1, [])
    assert holdings.reserve(21, 21, 16 * MEBIBYTE) == GRANTED


def test_a_users_sessions_share_what_the_user_may_hold() -> None:
    gone = set[int]()
    holdings = Holdings(
        Limits(memory=100, objects=5),
        to_spare=lambda: 1000,
        exists=lambda held: held.number not in gone,
    )
    for session in range(2):
        assert holdings.reserve(session, 1, 40) == GRANTED
        holdings.keep(session, [Held(MAP, session, 40)])
        holdings.end(session)  # which frees nothing that is held
    assert holdings.reserve(3, 1, 40) == USER_HAS_ITS_SHARE
    assert holdings.reserve(4, 2, 40) == GRANTED
    gone.add(0)
    assert holdings.reserve(3, 1, 40) == GRANTED


def test_a_quarter_of_the_memory_stays_free() -> None:
    assert memory_to_spare() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 4
    assert eventually(lambda: memory_to_spare() != 0)
    with suppress(KernelError):
        Holdings(Limits()).reserve(1, 1, 1)
