"""Handlers: functions at native speed that say what becomes of each packet, in C and by numba."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest
from support.actions import await_action
from support.loads import RING
from support.waiting import eventually

import xdplab
from xdplab import Capture, ConfigurationError, Engine, Handler, Lab, Traffic, c_handler
from xdplab.handlers import DELIVER, DROP, FORWARD, SEND_BACK
from xdplab.native.records import HANDLED

COUNT = 200  # never more than a veth holds: a busy machine may not look for a while


def says(verdict: str) -> str:
    """Return C that says the same of each packet."""
    return f"""
        uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
        {{
            return {verdict};
        }}
    """


# By the port that it is sent to.
BY_PORT = """
    uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
    {
        static const uint32_t verdicts[] = { XDPLAB_DROP, XDPLAB_SEND_BACK, XDPLAB_DELIVER, 77 };
        return verdicts[data[37] % 4];
    }
"""

COUNTS = """
    uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
    {
        uint64_t *seen = state;
        seen[0]++;
        seen[1] += packet->length;
        return XDPLAB_DROP;
    }
"""


def packet(number: int, size: int = 60) -> bytes:
    """Make a UDP datagram to a port with that number as its last byte."""
    ethernet = bytes.fromhex("020000000002 020000000001 0800")
    ip = bytes.fromhex("4500002e00000000401100000a0900010a090002")
    return (ethernet + ip + bytes([4, 0, 0, number % 256, 0, 26, 0, 0])).ljust(size, b"\0")


@pytest.fixture
def peer(lab: Lab) -> Iterator[Capture]:
    with Capture(lab.peer, ring_size=RING) as peer:
        yield peer


def handled(engine: Engine) -> dict[str, int]:
    engine.refresh()
    counts = engine.telemetry.total()["handled"].tolist()
    return {name: count for name, count in zip(HANDLED, counts, strict=True) if count}


def received(capture: Capture, count: int) -> list[bytes]:
    """Receive so many of our packets, and what has come besides."""
    found: list[bytes] = []

    def take() -> bool:
        found.extend(bytes(each) for each in capture.try_recv() if each[12:14] == b"\x08\x00")
        return len(found) >= count

    assert eventually(take)
    take()
    return found


def await_packets(engine: Engine) -> bool:
    """Wait until some more packets have been received."""
    before = int(engine.telemetry.total()["rx_packets"])
    return eventually(lambda: int(engine.telemetry.total()["rx_packets"]) > before)


def run(lab: Lab, engine: Engine, count: int = COUNT) -> None:
    """Send packets, and wait until the engine has handled all of them."""
    await_action(engine)
    before = sum(handled(engine).values())
    with Traffic(lab.peer, lab.port, rate=20_000, count=count) as traffic:
        assert traffic.wait(60)
    assert eventually(lambda: sum(handled(engine).values()) == before + count)


def test_each_packet_of_a_capture_has_its_own_verdict(lab: Lab, peer: Capture) -> None:
    with Capture(lab.port, ring_size=RING) as port:
        port.handler = c_handler(BY_PORT)
        ledger = port.ledger()
        peer.send([packet(number) for number in range(400)])
        assert [each[37] for each in received(port, 100)] == [n % 256 for n in range(2, 400, 4)]
        assert [each[37] for each in received(peer, 100)] == [n % 256 for n in range(1, 400, 4)]
        port.try_recv()
        same = dict.fromkeys(("drop", "send_back", "deliver", "unknown"), 100)
        assert handled(port) == same
        account = ledger.settle()
        assert account.unaccounted == 0
        assert account.packets("no verdict of the handler") == 100
        assert (
            "100 packets were dropped, since the handler returned no verdict" in account.explain()
        )


@pytest.mark.parametrize(
    ("verdict", "became"),
    [
        ("XDPLAB_DROP", "drop"),
        ("XDPLAB_SEND_BACK", "send_back"),
        ("XDPLAB_FORWARD", "refused"),
        ("XDPLAB_DELIVER", "refused"),
        ("4", "unknown"),
        ("-1", "unknown"),
    ],
)
def test_what_an_engine_can_not_do_is_dropped_counted_and_told(
    lab: Lab, verdict: str, became: str
) -> None:
    with Engine(lab.port) as engine:
        engine.handler = c_handler(says(verdict))
        ledger = engine.ledger()
        run(lab, engine)
        assert handled(engine) == {became: COUNT}
        account = ledger.settle(30)
        assert account.unaccounted == 0
        assert int(engine.telemetry.total()["tx_packets"]) == COUNT * (became == "send_back")
        words = {
            "refused": "this engine can drop and send back; to forward takes Engine(forward_to",
            "unknown": "return XDPLAB_DROP, XDPLAB_SEND_BACK",
        }
        assert words.get(became, "Every packet arrived.") in account.explain()


def test_an_engine_that_joins_two_interfaces_forwards_what_the_handler_says(
    lab: Lab, peer: Capture
) -> None:
    with (
        Lab() as other,
        Engine(lab.port, forward_to=other.port) as engine,
        Capture(other.peer) as far,
    ):
        engine.handler = c_handler(says("data[37] % 2 ? XDPLAB_FORWARD : XDPLAB_SEND_BACK"))
        peer.send([packet(number) for number in range(100)])
        assert [each[37] for each in received(far, 50)] == list(range(1, 100, 2))
        assert eventually(lambda: handled(engine).get("refused", 0) >= 50)


def test_numba_compiles_a_handler(lab: Lab) -> None:
    @numba.cfunc(xdplab.handler_signature)
    def turn_round(data: Any, packet: Any, state: Any) -> int:
        about = numba.carray(packet, 1)[0]
        frame = numba.carray(data, about.length)
        seen = numba.carray(state, 2, np.uint64)
        seen[0] += 1
        seen[1] += about.length
        for i in range(6):
            frame[i], frame[6 + i] = frame[6 + i], frame[i]
        return SEND_BACK if frame[12] == 8 else DROP

    seen = np.zeros(2, np.uint64)
    with Engine(lab.port) as engine:
        engine.handler = Handler(turn_round, state=seen)
        assert engine.handler.name == "turn_round"
        run(lab, engine)
        assert handled(engine) == {"send_back": COUNT}
        assert seen.tolist() == [COUNT, 64 * COUNT]


def test_a_verdict_has_the_same_number_in_python_and_in_c() -> None:
    assert (DROP, SEND_BACK, FORWARD, DELIVER) == (0, 1, 2, 3)


def test_a_handler_shares_memory_with_python_and_keeps_it(lab: Lab) -> None:
    seen = np.zeros(2, np.uint64)
    with Engine(lab.port) as engine:
        engine.handler = c_handler(COUNTS, state=seen)
        with pytest.raises(ValueError, match=r"resize|refer"):
            seen.resize(5)
        run(lab, engine)
        assert seen.tolist() == [COUNT, 64 * COUNT]


def test_a_handler_is_told_of_its_packet(lab: Lab, peer: Capture) -> None:
    tells = """
        uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
        {
            *(struct xdplab_packet *)state = *packet;
            return XDPLAB_DROP;
        }
    """
    told = np.zeros(1, xdplab.handlers.PACKET)
    with Engine(lab.port) as engine:
        engine.handler = c_handler(tells, state=told)
        peer.send([packet(1, 100)])
        assert eventually(lambda: handled(engine))
    assert told["length"] == told["total"] == 100
    assert 100 <= told["room"] <= 2048
    assert told["queue"] == told["worker"] == 0
    assert told["time_ns"] > 0


@pytest.mark.parametrize("unaligned", [False, True])
def test_a_handler_may_change_a_packets_length_within_its_room(
    lab: Lab, peer: Capture, unaligned: bool
) -> None:
    sets = """
        uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
        {
            static const uint32_t lengths[] = { 14, 60, 200, 13, 0 };
            uint32_t which = data[37] % 6;

            packet->length = which == 5 ? packet->room + 1 : lengths[which];
            if (which == 2)
                data[199] = 9;
            return XDPLAB_SEND_BACK;
        }
    """
    memory = xdplab.Memory(unaligned=unaligned)
    with Engine(lab.port, memory=memory, frame_size=3072 if unaligned else 2048) as engine:
        engine.handler = c_handler(sets)
        peer.send([packet(number % 6) for number in range(600)])
        back = received(peer, 300)
        assert {len(each) for each in back} <= {14, 60, 200}
        assert [each[199] for each in back if len(each) == 200] == [9] * 100
        assert handled(engine) == {"send_back": 300, "unknown": 300}


def test_a_handler_is_replaced_under_traffic_and_no_packet_is_lost(lab: Lab) -> None:
    states = [np.zeros(2, np.uint64) for _ in range(6)]
    handlers = [c_handler(COUNTS, state=state) for state in states]

    def seen() -> list[int]:
        return [int(state[0]) for state in states]

    with Engine(lab.port, ring_size=RING) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=10_000)
        ledger = engine.ledger(traffic)
        with traffic:
            turns = itertools.count()
            while (number := next(turns)) < 60 or not all(seen()):
                current = number % 7  # of the last, None
                engine.handler = None if current == 6 else handlers[current]
                before = seen()
                assert await_packets(engine)
                grown = [place for place in range(6) if seen()[place] != before[place]]
                assert grown in ([], [current]), "the one before was left"
        account = ledger.settle(30)
        lost = account.packets("wire full") + account.packets("RX ring full")  # on a busy machine
        assert account.packets("received by the worker") == traffic.sent - lost
        assert account.unaccounted == 0
        engine.refresh()
        assert sum(handled(engine).values()) == sum(seen())


def test_the_action_comes_and_goes_with_the_handler(lab: Lab) -> None:
    with Engine(lab.port, action="reflect") as engine:
        with pytest.raises(
            ConfigurationError, match=r"has none: engine\.handler = xdplab\.c_handl"
        ):
            engine.action = "handler"
        engine.handler = None
        handler = c_handler(says("XDPLAB_DROP"))
        engine.handler = handler
        assert (engine.action, engine.handler) == ("handler", handler)
        engine.action = "drop"
        engine.action = "handler"
        engine.handler = None
        assert (engine.action, engine.handler) == ("reflect", None)
    with pytest.raises(ConfigurationError, match="which an engine can have once it is made"):
        Engine(lab.port, action="handler")
    with Capture(lab.port) as capture:
        capture.handler = handler
        assert capture.action == "handler"
        capture.handler = None
        assert capture.action == "deliver"


def test_a_handler_stays_when_sockets_are_made_anew_or_the_engine_is_stopped(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        engine.handler = c_handler(says("XDPLAB_SEND_BACK"))
        engine.reconfigure(ring_size=RING)
        run(lab, engine)
        engine.stop()
        engine.start()
        run(lab, engine)
        assert handled(engine) == {"send_back": 2 * COUNT}


def test_what_a_handler_delivers_passes_the_filter(lab: Lab, peer: Capture) -> None:
    with Capture(lab.port, ring_size=RING) as port:
        port.filter("udp and greater 100")
        port.handler = c_handler(says("data[37] % 2 ? XDPLAB_DELIVER : XDPLAB_DROP"))
        peer.send([packet(number, 100 if number % 4 == 1 else 60) for number in range(80)])
        assert [each[37] for each in received(port, 20)] == list(range(1, 80, 4))


@pytest.mark.usefixtures("privileged")
def test_several_queues_have_the_same_handler_and_a_state_each_may_use() -> None:
    by_worker = """
        uint32_t handle(uint8_t *data, struct xdplab_packet *packet, void *state)
        {
            ((uint64_t *)state)[packet->worker]++;
            return XDPLAB_DROP;
        }
    """
    seen = np.zeros(2, np.uint64)
    with Lab(queues=2) as lab, Engine(lab.port, queue=[0, 1]) as engine:
        engine.handler = c_handler(by_worker, state=seen)
        run(lab, engine)
        assert int(seen.sum()) == COUNT


@pytest.mark.kernel  # which alone has other paths
def test_on_other_paths_there_is_no_handler(lab: Lab) -> None:
    with Engine(lab.port, path="packet") as engine:
        with pytest.raises(ConfigurationError, match="action='handler' takes path='xsk'"):
            engine.handler = c_handler(says("XDPLAB_DROP"))
        assert (engine.handler, engine.action) == (None, "drop")


def test_a_handler_that_never_sends_is_spared_a_look_at_checksums_and_may_not_send(
    lab: Lab,
) -> None:
    with Engine(lab.port) as engine:
        engine.handler = c_handler(says("XDPLAB_SEND_BACK"), sends=False)
        run(lab, engine)
        assert handled(engine) == {"refused": COUNT}
