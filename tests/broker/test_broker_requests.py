"""Whatever a client says, a session answers it with an error or ends, and nothing else happens."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import random
import socket
import struct
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.brokers import Broker
from support.clients import as_user, make_veth, own_network
from support.requests import AF_XDP, GOOD, STREAM, memory

from xdplab.broker import protocol
from xdplab.broker.client import Connection, connect
from xdplab.broker.requests import REQUESTS, check_request
from xdplab.core.errors import ClosedError, ConfigurationError, KernelError, XdplabError
from xdplab.native import lib

RETURN = struct.pack("=HBBI", 0x06, 0, 0, 1)  # of classic BPF: lets the packet pass


def talk(path: str, say: Callable[[Connection], object]) -> object:
    with connect(protocol.NETWORK, descriptor=own_network(), path=path) as connection:
        return say(connection)


def raw(connection: Connection, value: object, *descriptors: int) -> dict[str, Any]:
    """Say what a client of ours never would, and return the refusal."""
    message = value if isinstance(value, bytes) else json.dumps(value).encode()
    protocol.send(connection.socket, message, descriptors)
    answer, _ = protocol.receive(connection.socket)
    parsed: dict[str, Any] = json.loads(answer)
    return parsed


def test_what_is_said_here_to_be_right_is_right() -> None:
    assert GOOD.keys() == REQUESTS.keys()
    for operation, arguments in GOOD.items():
        check_request(operation, arguments, REQUESTS[operation].descriptors)


def forged() -> list[tuple[str, object]]:
    """List requests with one thing wrong, of every operation and argument."""
    found: list[tuple[str, object]] = [
        ("make_me_root", {}),
        ("", {}),
        ("_generator_open", {}),
        ("__init__", {}),
        ("perform", {}),
        ("close", {}),
        ("attach\n2026-01-01 user 0 process 1 attach: done", {}),
    ]
    wrong = (None, -1, 2**63, 2**200, 1.5, "1", "", [], {}, "../../etc/passwd", "x" * 5000, [[]])
    for operation, arguments in GOOD.items():
        found.append((operation, {**arguments, "more": 1}))
        for name in arguments:
            found.append((operation, {key: arguments[key] for key in arguments if key != name}))
            found += [
                (operation, {**arguments, name: value})
                for value in wrong
                if value != arguments[name]
            ]
    found += [
        ("generator_open", {**GOOD["generator_open"], "stream": {**STREAM, name: value}})
        for name in STREAM
        for value in wrong
    ]
    too_long = b64encode(RETURN * (lib.XDPLAB_MATCH_LONGEST + 1)).decode()
    for match in ("?", "AAAA", too_long):
        found.append(("attach", {**GOOD["attach"], "match": match}))
    return found


def test_a_forged_request_is_refused_and_the_session_goes_on(broker: Broker) -> None:
    def say(connection: Connection) -> int:
        for operation, arguments in forged():
            said = raw(connection, {"op": operation, "arguments": arguments})
            assert said["error"] in ("ConfigurationError", "ClosedError"), (operation, arguments)
        with pytest.raises(ClosedError):
            connection.request("generator_status")
        return len(forged())

    assert as_user(lambda: talk(broker.socket, say)) == len(forged())
    # What was forged can't forge a line of the log.
    assert not [
        line for line in broker.log().splitlines() if "user 0 process 1 attach" in line[:60]
    ]


def test_a_filter_that_is_none_does_no_harm(broker: Broker) -> None:
    dice = random.Random(3)
    filters = [dice.randbytes(8 * dice.randrange(1, 9)) + RETURN for _ in range(200)]
    # Classes and modes that there are, so that more of them reach the verifier.
    codes = (0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0xB1, 0x02, 0x60, 0x0C, 0x3C, 0x6C, 0x25)
    for _ in range(100):
        several = [
            struct.pack("=HBBI", dice.choice(codes), 0, dice.randrange(2), dice.randrange(16))
            for _ in range(dice.randrange(1, 40))
        ]
        filters.append(b"".join(several) + RETURN + RETURN)
    # As much work for the verifier as there can be.
    filters.append(struct.pack("=HBBI", 0x48, 0, 0, 5) * (lib.XDPLAB_MATCH_LONGEST - 1) + RETURN)

    def say(connection: Connection) -> int:
        refused = 0
        for code in filters:
            attach = {**GOOD["attach"], "match": b64encode(code).decode()}
            said = raw(connection, {"op": "attach", "arguments": attach})
            refused += said["error"] in ("KernelError", "VerifierError", "InterfaceGoneError")
        return refused

    # No interface has the index: one that the verifier accepted is refused then.
    assert as_user(lambda: talk(broker.socket, say)) == len(filters)


MALFORMED = {
    "no JSON": b"attach",
    "half of it": b'{"op": "attach", "argu',
    "no object": b"[1, 2]",
    "a number": b"1",
    "not UTF-8": b'{"op": "\xff\xfe", "arguments": {}}',
    "zeroes": b"\0" * 100,
    "nested too deeply": b"[" * 60_000,
    "objects nested too deeply": b'{"op":' * 10_000,
    "no operation": b'{"arguments": {}}',
    "no arguments": b'{"op": "generator_status"}',
    "more than that": b'{"op": "generator_status", "arguments": {}, "more": 1}',
    "a name twice": b'{"op": "generator_status", "op": "generator_status", "arguments": {}}',
    "not a number": b'{"op": "generator_status", "arguments": NaN}',
    "infinity": b'{"op": "prefer_busy_poll", "arguments": {"budget": Infinity}}',
    "an operation that is none": b'{"op": 7, "arguments": {}}',
    "arguments that are none": b'{"op": "generator_status", "arguments": []}',
    "a number of many digits": b'{"op": "a", "arguments": {"a": ' + b"9" * 60_000 + b"}}",
    "too long": b'{"op": "generator_status", "arguments": {}}' + b" " * 65_536,
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_message_ends_the_connection_with_a_word(broker: Broker, what: str) -> None:
    def say(connection: Connection) -> str:
        assert raw(connection, MALFORMED[what])["error"] == "ConfigurationError"
        assert protocol.receive(connection.socket)[0] == b""
        return "ended"

    assert as_user(lambda: talk(broker.socket, say)) == "ended"


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"N",
        b"N" + bytes(17),
        b"X" + bytes(16),
        b"N" + b"eth0".ljust(16, b"\0"),
        b"I" + bytes(16),
        b"I" + b"x" * 16,
        b"I" + b"a\0b".ljust(16, b"\0"),
        b"I" + b"\xff\n".ljust(16, b"\0"),
        bytes(200_000),
    ],
)
def test_a_malformed_first_message_ends_the_connection(broker: Broker, first: bytes) -> None:
    def client() -> str:
        namespace = own_network()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made:
            made.settimeout(30)
            made.connect(broker.socket)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400_000)
            protocol.send(made, first, [namespace])
            answer, _ = protocol.receive(made)
            if answer:
                with pytest.raises(ConfigurationError):
                    protocol.decode_answer(answer)
        return "ended"

    assert as_user(client) == "ended"


def test_descriptors_that_are_not_what_they_claim_are_refused(broker: Broker) -> None:
    umem = GOOD["register_umem"]
    size = umem["frame_size"] * umem["frame_count"]
    shrink = fcntl.F_SEAL_SHRINK

    def say(connection: Connection) -> str:
        xsk = socket.socket(AF_XDP, socket.SOCK_RAW, 0)
        xdp, frames = xsk.fileno(), memory(size, shrink)
        file = os.open("/etc/passwd", os.O_RDONLY)
        inet, unix = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socketpair()[0]
        packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        strange = [file, inet.fileno(), unix.fileno(), packet.fileno(), frames, os.pipe()[0]]
        for wrong in strange:
            with pytest.raises(ConfigurationError, match="AF_XDP socket"):
                connection.request("register_umem", umem, [wrong, frames])
            with pytest.raises(ConfigurationError, match="AF_XDP socket"):
                connection.request("prefer_busy_poll", {"budget": 64}, [wrong])
        for wrong in (file, xdp, inet.fileno(), os.pipe()[0]):
            with pytest.raises(ConfigurationError, match="memfd"):
                connection.request("register_umem", umem, [xdp, wrong])
            with pytest.raises(ConfigurationError, match="memfd"):
                connection.request("load_object", GOOD["load_object"], [wrong])
        for unsealed in (memory(size), memory(size, fcntl.F_SEAL_GROW)):
            with pytest.raises(ConfigurationError, match="sealed"):
                connection.request("register_umem", umem, [xdp, unsealed])
            with pytest.raises(ConfigurationError, match="sealed"):
                connection.request("load_object", GOOD["load_object"], [unsealed])
        with pytest.raises(ConfigurationError, match="smaller"):
            connection.request("register_umem", umem, [xdp, memory(size - 1, shrink)])
        for count in (0, 1, 3):
            request = {"op": "register_umem", "arguments": umem}
            assert raw(connection, request, *[xdp] * count)["error"] == "ConfigurationError"
        assert connection.request("register_umem", umem, [xdp, frames]) == ({}, [])
        return "refused"

    assert as_user(lambda: talk(broker.socket, say)) == "refused"


def test_a_socket_that_may_busy_poll_does_not_until_it_is_told_to(broker: Broker) -> None:
    busy_poll, prefer = 46, 69  # SO_BUSY_POLL, SO_PREFER_BUSY_POLL

    def say(connection: Connection) -> tuple[int, int]:
        with socket.socket(AF_XDP, socket.SOCK_RAW, 0) as xsk:
            xsk.setsockopt(socket.SOL_SOCKET, busy_poll, 50)  # as by net.core.busy_read
            connection.request("prefer_busy_poll", {"budget": 64}, [xsk.fileno()])
            return (
                xsk.getsockopt(socket.SOL_SOCKET, busy_poll),
                xsk.getsockopt(socket.SOL_SOCKET, prefer),
            )

    assert as_user(lambda: talk(broker.socket, say)) == (0, 1)


def test_a_session_pins_no_more_memory_than_it_may(broker: Broker) -> None:
    size = 1 << 29

    def say(connection: Connection) -> str:
        xsk = socket.socket(AF_XDP, socket.SOCK_RAW, 0)
        large = {**GOOD["register_umem"], "frame_count": size // 4096 + 1}
        with pytest.raises(KernelError, match="ENOBUFS"):
            held = memory(size + 4096, fcntl.F_SEAL_SHRINK)
            connection.request("register_umem", large, [xsk.fileno(), held])
        with pytest.raises(ConfigurationError):  # a product that is no size at all
            huge = {**GOOD["register_umem"], "frame_size": 2**20, "frame_count": 2**26}
            connection.request("register_umem", huge, [xsk.fileno(), held])
        return "refused"

    assert as_user(lambda: talk(broker.socket, say)) == "refused"


def test_descriptors_beside_what_takes_none_are_not_kept(broker: Broker) -> None:
    def say(connection: Connection) -> bool:
        ours, theirs = os.pipe()
        for count in (1, 40, 200):
            request = {"op": "generator_status", "arguments": {}}
            if count > protocol.MOST_DESCRIPTORS:
                assert raw(connection, request, *[theirs] * count)["error"] == "ConfigurationError"
            else:
                raw(connection, request, *[theirs] * count)
        os.close(theirs)
        return os.read(ours, 1) == b""  # nobody else has it any more

    assert as_user(lambda: talk(broker.socket, say))


def test_the_generator_is_run_as_asked_and_one_at_a_time(broker: Broker) -> None:
    def say(connection: Connection) -> int:
        port, _ = make_veth()
        request = {**GOOD["generator_open"], "interface": port}
        _, (state,) = connection.request("generator_open", request)
        with pytest.raises(KernelError, match="EBUSY"):
            connection.request("generator_open", request)
        connection.request("generator_start")
        connection.request("generator_set_interval", {"interval_ps": 0})
        status: dict[str, Any] = {"running": True}
        while status["running"]:
            status, _ = connection.request("generator_status")
        assert status["fault"] == 0
        assert os.fstat(state)
        connection.request("generator_close")
        with pytest.raises(ClosedError):
            connection.request("generator_status")
        return int(status["sent"])

    assert as_user(lambda: talk(broker.socket, say)) == STREAM["limit_frames"]


def json_values(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=4,
    )


JSON = json_values(st.floats(allow_nan=False))
# The protocol has no infinite numbers.
SAYABLE = json_values(st.floats(allow_nan=False, allow_infinity=False))
# After which a connection ends.
MALFORMED_WORDS = ("a request has an op and arguments.", "a message is one JSON object.")
QUICK = settings(database=None, derandomize=True, suppress_health_check=list(HealthCheck))


def test_10_000_random_messages_leave_a_session_that_answers(broker: Broker) -> None:
    values: list[object] = []

    @settings(QUICK, max_examples=500)
    @given(JSON)
    def gather(value: object) -> None:
        values.append(value)

    gather()
    chosen = random.Random(6)

    def message() -> bytes:
        operation = chosen.choice(sorted(GOOD))
        arguments: Any = copy.deepcopy(GOOD[operation])
        if chosen.random() < 0.02:
            operation, arguments = str(chosen.choice(values)), chosen.choice(values)
        else:
            names = [*arguments, *arguments.get("stream", {}), "more"]
            places = [arguments, arguments.get("stream", arguments)]
            for _ in range(chosen.randint(0, 3)):
                chosen.choice(places)[chosen.choice(names)] = chosen.choice(values)
        return json.dumps({"op": operation, "arguments": arguments}).encode()

    messages = [message() for _ in range(10_000)]

    def client() -> int:
        namespace, answered = own_network(), 0
        connection = connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)
        for message in messages:
            protocol.send(connection.socket, message)
            answer, descriptors = protocol.receive(connection.socket)
            said = json.loads(answer)
            assert descriptors == [] or "answer" in said
            answered += 1
            if said.get("tried") in MALFORMED_WORDS:
                connection.close()
                connection = connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)
        return answered

    assert as_user(client) == len(messages)


@settings(QUICK, max_examples=300)
@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_random_bytes_are_malformed_or_a_request(message: bytes) -> None:
    with suppress(protocol.Malformed):
        said = protocol.decode_request(message)
        assert protocol.decode_request(protocol.encode_request(*said)) == said
        with suppress(XdplabError):
            check_request(*said[:2], 0)
    with suppress(protocol.Malformed, XdplabError):
        answer = protocol.decode_answer(message)
        assert answer is None or protocol.decode_answer(protocol.encode_answer(answer)) == answer


@settings(QUICK, max_examples=300)
@given(
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=8), SAYABLE, max_size=4),
    st.integers(0, (1 << 31) - 1),
)
def test_what_was_written_is_read(operation: str, values: dict[str, object], number: int) -> None:
    request = protocol.encode_request(operation, values, number)
    assert protocol.decode_request(request) == (operation, values, number)
    assert protocol.decode_answer(protocol.encode_answer(values, number), number) == values
