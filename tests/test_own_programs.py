"""An engine on an XDP program of the user's own, whose XSKMAP has the engine's sockets."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from support.frames import raw_socket
from support.installs import SOURCE
from support.loads import DEEP_RING, HOLDABLE_RATE
from support.objects import HEAD, compiled
from support.waiting import eventually
from support.xskmaps import TO_SOCKET, steering

from xdplab import (
    Account,
    Capture,
    ClosedError,
    ConfigurationError,
    Engine,
    Lab,
    Program,
    QueueBusyError,
    Sampling,
    Stream,
    Traffic,
)

pytestmark = pytest.mark.kernel  # which runs the programs

SIZE = 200  # bytes of a frame that no other sender on the wire makes
OURS = f"if (data + {SIZE} > end || data + {SIZE + 1} <= end) return XDP_PASS;"
"""Leaves to the stack what others send."""


def received(engine: Engine) -> int:
    return int(engine.telemetry.total()["rx_packets"])


def send(lab: Lab, engine: Engine, count: int) -> Account:
    """Send frames, and account for them."""
    traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, size=SIZE, count=count)
    ledger = engine.ledger(traffic)
    with traffic:
        traffic.wait(60)
        account = ledger.settle(30)
    assert account.balanced, account
    assert account.packets("sent by the generator") == count
    return account


def test_an_engine_attaches_the_program_and_takes_it_off_again(lab: Lab) -> None:
    with Program(steering(), lab.port) as program:
        with Engine(lab.port, program=program, ring_size=DEEP_RING) as engine:
            assert "attached to port0" in str(program)
            assert send(lab, engine, 500).packets("received by the worker") >= 500
        assert "attached to nothing" in str(program)
        with Engine(lab.port, program=program, ring_size=DEEP_RING) as engine:
            assert send(lab, engine, 500).packets("received by the worker") >= 500


def test_a_link_of_the_users_is_left_as_it_was(lab: Lab) -> None:
    with Program(steering(), lab.port) as program, program.attach() as link:
        for _ in range(2):
            with Engine(lab.port, program=program, ring_size=DEEP_RING) as engine:
                assert send(lab, engine, 100).packets("received by the worker") >= 100
            assert not link.closed
        assert lab.peer.ping(lab.port.ipv4).received  # with no socket it goes to the stack
        with pytest.raises(QueueBusyError):
            Engine(lab.port)


def test_half_of_the_packets_dropped_by_the_program(lab: Lab) -> None:
    body = f"{OURS} if (nth % 2) return XDP_DROP; {TO_SOCKET}"
    program = Program(steering(body), lab.port)
    with program, Engine(lab.port, program=program, ring_size=DEEP_RING) as engine:
        # Counts what others send, too: which half begins is not known.
        account = send(lab, engine, 1000)
        dropped = account.packets("dropped by your program")
        taken = account.packets("received by the worker")
        assert dropped + taken == 1000
        others = account.packets("sent by others")
        assert abs(dropped - taken) <= others + 1
        assert account.packets("left to the stack") == others


def test_the_ledger_tells_each_verdict_of_the_program(lab: Lab) -> None:
    body = f"""{OURS}
	switch (data[SIZE_OF_HEADERS] & 7) {{
	case 0: return XDP_ABORTED;
	case 1: return XDP_DROP;
	case 2: return XDP_PASS;
	case 3: return XDP_TX;
	case 4: return bpf_redirect(context->ingress_ifindex, 0);
	}}
	{TO_SOCKET}""".replace("SIZE_OF_HEADERS", "14")
    with (
        Program(steering(body), lab.port) as program,
        Engine(lab.port, program=program, ring_size=DEEP_RING) as engine,
        raw_socket(lab.peer) as raw,
    ):
        ledger = engine.ledger()
        for number in range(8 * 10):
            raw.send(b"\2" * 12 + b"\x88\xb5" + bytes([number]).ljust(SIZE - 14, b"\0"))
        assert eventually(lambda: ledger.settle().packets("received by the worker") == 30)
        account = ledger.settle(30)
        assert account.balanced, account
        assert account.packets("dropped by your program") == 20
        assert account.packets("sent back by your program") == 10
        assert account.packets("redirected elsewhere by your program") == 10
        assert account.packets("left to the stack") >= 10
        assert "another interface, core or socket" in account.explain()


def test_where_no_driver_counts_verdicts_the_ledger_says_so(lab: Lab) -> None:
    body = f"{OURS} if (nth % 2) return XDP_DROP; {TO_SOCKET}"
    with (
        Program(steering(body), lab.port) as program,
        Engine(lab.port, program=program, attach="skb", ring_size=DEEP_RING) as engine,
    ):
        account = send(lab, engine, 500)
        others = account.packets("passed, dropped or sent on by your program")
        assert account.packets("received by the worker") + others >= 500
        assert "is not known: only a veth's driver counts that" in account.explain()


def test_a_program_is_swapped_under_a_socket_without_loss(lab: Lab) -> None:
    data = steering(f"{OURS} {TO_SOCKET}")
    with Program(data, lab.port) as one, Program(data, lab.port) as other:
        link = one.attach()
        with (
            Engine(lab.port, program=one, ring_size=DEEP_RING) as engine,
            Traffic(lab.peer, lab.port, rate=20_000, size=SIZE) as traffic,
        ):
            assert eventually(lambda: received(engine))
            for _ in range(100):
                link.replace(other if link.program is one else one)
                time.sleep(0.005)
            assert traffic.running
            traffic.stop()
            assert eventually(lambda: received(engine) == traffic.sent)
        assert not link.closed
        with Engine(lab.port, program=link.program, ring_size=DEEP_RING) as engine:
            assert send(lab, engine, 100).packets("received by the worker") == 100


def test_a_replacement_without_a_map_for_the_engine_is_refused(lab: Lab) -> None:
    without = steering("return XDP_DROP;", names=())
    with (
        Program(steering(), lab.port) as program,
        Program(without, lab.port) as other,
        Engine(lab.port, program=program, ring_size=DEEP_RING) as engine,
    ):
        link = next(iter(program._links))
        with pytest.raises(ConfigurationError, match="has no XSKMAP"):
            link.replace(other)
        assert link.program is program
        assert send(lab, engine, 100).packets("received by the worker") >= 100
        engine.close()
        assert link.closed


def test_a_named_map_is_used_and_looked_for_in_the_replacement(lab: Lab) -> None:
    data = steering(names=("others", "sockets"))
    renamed = steering("return XDP_PASS;", names=("another",))
    with (
        Program(data, lab.port) as program,
        Program(data, lab.port) as same,
        Program(renamed, lab.port) as different,
    ):
        with pytest.raises(ConfigurationError, match="several XSKMAPs: "):
            Engine(lab.port, program=program)
        with pytest.raises(ConfigurationError, match="is no XSKMAP of the program"):
            Engine(lab.port, program=program, xskmap="counts")
        with Engine(lab.port, program=program, xskmap="sockets", ring_size=DEEP_RING) as engine:
            link = next(iter(program._links))
            link.replace(same)
            assert send(lab, engine, 100).packets("received by the worker") >= 100
            with pytest.raises(ConfigurationError, match="'sockets' is no XSKMAP"):
                link.replace(different)


def test_engines_share_a_program_by_queues(privileged: None) -> None:
    with Lab(queues=2) as lab, Program(steering(), lab.port) as program:
        first = Engine(lab.port, program=program, queue=0).start()
        second = Engine(lab.port, program=program, queue=1).start()
        with pytest.raises(QueueBusyError):
            Engine(lab.port, program=program, queue=1)
        for each in (first, second):
            with Traffic(lab.peer, lab.port, rate=2000, cpu=each.queue, count=100) as traffic:
                traffic.wait(60)
            assert eventually(lambda each=each: received(each) >= 100)
        first.close()
        # The one that attached the program has ended, and the other goes on.
        with Traffic(lab.peer, lab.port, rate=2000, cpu=1, count=100) as traffic:
            traffic.wait(60)
        assert eventually(lambda: received(second) >= 200)
        second.close()
        assert "attached to nothing" in str(program)


def test_a_reconfiguration_keeps_the_program(lab: Lab) -> None:
    with (
        Program(steering(), lab.port) as program,
        Engine(lab.port, program=program, ring_size=DEEP_RING) as engine,
    ):
        link = next(iter(program._links))
        engine.reconfigure(ring_size=DEEP_RING // 2)
        assert not link.closed
        assert send(lab, engine, 100).packets("received by the worker") >= 100
        with pytest.raises(ConfigurationError, match="your own program's link"):
            engine.reconfigure(attach="skb")
        assert send(lab, engine, 100).packets("received by the worker") >= 100


def test_an_engine_says_that_its_programs_link_was_closed(lab: Lab) -> None:
    with Program(steering(), lab.port) as program, Engine(lab.port, program=program) as engine:
        assert engine.error is None
        next(iter(program._links)).close()
        assert engine.state == "bypassed"
        assert "program.attach() attaches it anew" in str(engine.error)
        with program.attach():
            assert engine.error is None
            assert engine.state == "running"
        program.close()
        assert engine.state == "bypassed"


def test_a_program_is_refused_where_it_can_t_be_used(lab: Lab, other: Lab) -> None:
    stranger = Program(steering(), other.port)
    with Program(steering(), lab.port) as program, stranger:
        for words, settings in (
            ("not loaded for the network namespace", {"program": stranger}),
            ("path='packet' has another", {"program": program, "path": "packet"}),
            ("forward_to=... joins two", {"program": program, "forward_to": other.port}),
            (
                "metadata=True is written by the engine's",
                {"program": program, "sampling": Sampling(metadata=True)},
            ),
            ("match='udp' is put in front of", {"program": program, "match": "udp"}),
            ("in front of the engine's own", {"program": program, "match": "udp"}),
            ("names a map of a program of your own", {"xskmap": "sockets"}),
            ("must be a Program", {"program": b"bytes"}),
            ("xskmap=7 must be text", {"program": program, "xskmap": 7}),
        ):
            with pytest.raises(ConfigurationError, match=words):
                Engine(lab.port, **settings)  # type: ignore[arg-type]
        assert "attached to nothing" in str(program)
    with pytest.raises(ClosedError, match="Load it again"):
        Engine(lab.port, program=program)


def test_a_capture_takes_a_program_too(lab: Lab) -> None:
    body = f"{OURS} {TO_SOCKET}"
    with (
        Program(steering(body), lab.port) as program,
        Capture(lab.port, program=program, ring_size=DEEP_RING) as capture,
        Traffic(lab.peer, lab.port, rate=2000, size=SIZE, count=100) as traffic,
    ):
        sizes: list[int] = []
        while len(sizes) < 100:
            sizes += capture.recv(30).lengths.tolist()
        traffic.wait(60)
        assert sizes == [SIZE] * 100


def test_an_engine_that_sends_receives_by_the_program(lab: Lab) -> None:
    with (
        Program(steering(), lab.peer) as program,
        Engine(lab.port, action="reflect", ring_size=DEEP_RING),
        Engine(
            lab.peer, stream=Stream(lab.port, rate=2000), program=program, inspect=True
        ) as engine,
    ):
        assert eventually(lambda: engine.telemetry.latency().counts.sum() > 100)


@pytest.mark.privilege  # in the suites of other backends there are no pages
def test_the_example_of_an_engine_on_a_program_can_be_typed(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (SOURCE / "docs" / "programs.md").read_text()
    section = page.split("## An engine on your program")[1]
    source, code = (
        re.findall(f"```{each}\n(.*?)```", section, re.DOTALL)[0] for each in ("c", "py")
    )
    (tmp_path / "steer.o").write_bytes(compiled(HEAD + source))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"lab": lab, "Engine": Engine, "Program": Program, "Traffic": Traffic}
    exec(code, names)
    assert names["ledger"].traffic.sent == 1000
