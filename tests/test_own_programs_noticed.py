"""What others do to a user's own program, its link, its XSKMAP and its interface is noticed."""

from __future__ import annotations

import os

import pytest
from support.attached_programs import LIBBPF
from support.loads import HOLDABLE_RATE
from support.severed_links import sever
from support.veth import ip, make_pair, move, queues, send
from support.waiting import eventually
from support.xskmaps import steering

from xdplab import GALLERY, Engine, Host, Interface, Lab, Program, Traffic
from xdplab.ledger.drops import DropReasons

pytestmark = pytest.mark.kernel


@pytest.fixture
def wire(lab: Lab) -> Interface:
    return make_pair(lab.port)


def received(engine: Engine) -> int:
    return int(engine.telemetry.total()["rx_packets"])


def receives(engine: Engine, host: Host) -> bool:
    before = received(engine)
    send(host, 10)
    return eventually(lambda: received(engine) >= before + 10)


@pytest.mark.privilege  # it takes CAP_SYS_ADMIN to reach another's link
@pytest.mark.parametrize("by", ["engine", "user"])
def test_a_link_that_someone_severed_is_noticed_and_made_anew(
    lab: Lab, wire: Interface, by: str
) -> None:
    with Program(steering(), wire) as program:
        if by == "user":
            program.attach()
        with Engine(wire, program=program) as engine:
            ledger = engine.ledger()
            (link,) = program.links
            assert link.attached
            sever(link)
            assert not link.attached
            assert "on no interface any more" in repr(link)
            assert "attached to nothing" in str(program)
            assert engine.state == "bypassed"
            assert "someone took it off (`bpftool link detach`)" in str(engine.error)
            assert ledger.explain().startswith("Packets no longer reach the engine")
            if by == "engine":
                engine.reconfigure()
            else:
                program.attach()
            assert engine.error is None
            assert engine.state == "running"
            assert receives(engine, lab.port)


@pytest.mark.privilege
def test_packets_that_came_while_a_program_was_off_are_told(lab: Lab) -> None:
    traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=100)
    with Program(steering(), lab.port) as program, Engine(lab.port, program=program) as engine:
        ledger = engine.ledger(traffic)
        sever(program.links[0])
        with traffic:
            traffic.wait(60)
        program.attach()
        said = ledger.explain()
        assert "or they came while it was off the interface" in said
        assert "Is anything sending" not in said


@pytest.mark.privilege
def test_a_program_that_someone_put_in_the_place_of_it_is_noticed(
    lab: Lab, wire: Interface
) -> None:
    with Program(steering(), wire) as program, Engine(wire, program=program) as engine:
        (link,) = program.links
        with Program(GALLERY["drop"], lab.port) as other, other.attach():
            number = lab.port.interface.attached_program()
            descriptor = LIBBPF.bpf_prog_get_fd_by_id(number)
            assert LIBBPF.bpf_link_update(link.fileno(), descriptor, None) == 0
            os.close(descriptor)
        assert not link.attached
        assert engine.state == "bypassed"
        assert "put another in its place" in str(engine.error)
        link.replace(program)
        assert link.attached
        assert engine.state == "running"


def test_a_socket_that_someone_took_out_of_its_map_is_noticed(lab: Lab, wire: Interface) -> None:
    with Program(steering(), wire) as program, Engine(wire, program=program) as engine:
        assert engine.error is None
        key = (0).to_bytes(4, "little")
        assert LIBBPF.bpf_map_delete_elem(program.maps["sockets"].fileno(), key) == 0
        assert engine.state == "bypassed"
        assert "removed the socket of queue 0" in str(engine.error)
        engine.reconfigure()  # as the error says
        assert engine.error is None
        assert receives(engine, lab.port)


def test_a_closed_program_is_told_with_what_helps(wire: Interface) -> None:
    program = Program(steering(), wire)
    with Engine(wire, program=program) as engine:
        program.close()
        assert "it was closed. Load it again" in str(engine.error)
        assert "engine.close() first" in str(engine.error)


def test_an_interface_that_moves_takes_the_program_with_it_and_the_error_says_so(
    lab: Lab, wire: Interface
) -> None:
    with Program(steering(), wire) as program:
        with Engine(wire, program=program) as engine:
            move("v0", lab.port, lab.peer)
            assert eventually(lambda: engine.state == "ended")
            assert "v0 was moved out of its network namespace" in str(engine.error)
            assert "Your program is on it still: program.close() takes it off" in str(engine.error)
            there = Interface.find("v0", lab.peer.interface.namespace)
            assert program.links[0].attached
        program.close()
        assert eventually(lambda: not there.attached_program())


def test_a_renamed_interface_is_called_by_its_new_name(lab: Lab, wire: Interface) -> None:
    with Program(steering(), wire) as program:
        link = program.attach()
        ip(lab.port, "link set v0 down", "link set v0 name w0", "link set w0 up")
        for shown in (repr(program), str(program), repr(link), str(link)):
            assert "w0" in shown
            assert "v0" not in shown
        link.close()
        program.attach().close()


@pytest.mark.privilege  # a broker does not tell reasons
def test_drop_reasons_call_a_renamed_interface_by_its_new_name(lab: Lab, wire: Interface) -> None:
    with DropReasons(wire) as drops:
        ip(lab.port, "link set v0 down", "link set v0 name w0", "link set w0 up")
        send(lab.port)  # to nobody
        assert eventually(lambda: any(drop.interface == "w0" for drop in drops.read()))
        assert "v0" not in repr(drops) + str(drops)


def test_queues_that_are_added_can_be_seen_by_a_run(lab: Lab, wire: Interface) -> None:
    with Program(GALLERY["pass"], wire) as program:
        queues(lab.port, 4)
        assert program.test_run(bytes(60), queue=3).verdicts[0] == "PASS"
