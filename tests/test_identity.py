"""An engine stays with its interface, whatever that is called, and says what became of it."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess

import pytest
from support.attached_programs import LIBBPF, link_of, socket_map_of
from support.veth import ip, make_pair, move, queues, send
from support.waiting import eventually

from xdplab import Engine, Interface, InterfaceGoneError, Lab, Ledger, Traffic
from xdplab.native import lib
from xdplab.widgets import Controls, Dashboard, LedgerView, Rings

# Links are renamed, moved and removed, of which a simulated one knows nothing.
pytestmark = pytest.mark.kernel


@pytest.fixture
def wire(lab: Lab) -> Interface:
    """Make a veth pair on the port's host: v0, which is returned, and p0."""
    return make_pair(lab.port)


def received(engine: Engine) -> int:
    return int(engine.telemetry.total()["rx_packets"])


def detach(interface: Interface) -> None:
    """Do as `bpftool link detach` does."""
    assert interface.namespace.run(lib.xdplab_detach_programs, interface.index) == 0


def typed(explanation: str) -> None:
    """Type the command that an explanation gives, as it stands."""
    command = re.search(r"`([^`]+)`", explanation)
    assert command is not None
    subprocess.run(command[1], shell=True, check=True)


def test_a_renamed_interface_is_captured_on_and_called_by_its_new_name(
    lab: Lab, wire: Interface
) -> None:
    with Engine(wire) as engine:
        ledger = Ledger(engine)
        ip(lab.port, "link set v0 down", "link set v0 name w0", "link set w0 up")
        send(lab.port)
        assert eventually(lambda: received(engine) >= 10)
        account = ledger.settle(30)
        assert account.balanced
        assert account.packets("seen by the device") >= 10
        assert engine.interface.name == "w0"
        assert "w0 queue 0, running" in repr(engine)
        assert "v0" not in ledger.explain()


def test_what_takes_an_interfaces_old_name_is_not_taken_for_it(lab: Lab, wire: Interface) -> None:
    with Engine(wire) as engine:
        ledger = Ledger(engine)
        ip(
            lab.port,
            *("link set v0 down", "link set v0 name w0", "link set w0 up"),
            *("link add v0 type veth peer name q0", "link set v0 up", "link set q0 up"),
        )
        send(lab.port, 24, name="q0")
        send(lab.port, 10)
        assert eventually(lambda: received(engine) >= 10)
        account = ledger.settle(30)
    assert account.balanced
    assert account.packets("seen by the device") == account.packets(
        "left to the stack"
    ) + account.packets("received by the worker")


@pytest.mark.parametrize("path", ["xsk", "packet", "packet-mmap", "xdp"])
def test_an_interface_that_moves_is_not_deaf_where_it_is_then(
    lab: Lab, wire: Interface, path: str
) -> None:
    with Engine(wire, path=path) as engine:
        ledger = Ledger(engine)
        send(lab.port)
        assert eventually(lambda: received(engine) >= 10)
        move("v0", lab.port, lab.peer)
        assert eventually(lambda: engine.error is not None)
        assert isinstance(engine.error, InterfaceGoneError)
        assert "v0 was moved out of its network namespace" in str(engine.error)
        assert not engine.running
        there = Interface.find("v0", lab.peer.interface.namespace)
        assert there.attached_program() == 0
        account = ledger.settle()
        assert account.packets("received by the worker") >= 10
        said = account.explain().splitlines()
        assert said[0].startswith("v0 is gone from its network namespace")
        assert said[1].startswith("A worker ended: ")
        with pytest.raises(InterfaceGoneError, match="moved out of its network namespace"):
            engine.start()
    assert "closed" in repr(engine)


def test_the_place_that_an_interface_moved_to_is_shown_by_the_command_that_is_named(
    lab: Lab, wire: Interface
) -> None:
    with Engine(wire) as engine:
        move("v0", lab.port, lab.peer)
        assert eventually(lambda: engine.error is not None)
        if lab.backend == "kernel":
            typed(str(engine.error))


def test_a_stopped_engine_whose_interface_moved_says_that_close_takes_the_program_off(
    lab: Lab, wire: Interface
) -> None:
    engine = Engine(wire)
    move("v0", lab.port, lab.peer)
    assert "engine.close() takes that off" in str(engine.error)
    engine.close()
    there = Interface.find("v0", lab.peer.interface.namespace)
    assert eventually(lambda: there.attached_program() == 0)


def test_two_joined_interfaces_of_which_one_moves_are_both_let_go(
    lab: Lab, wire: Interface
) -> None:
    ip(
        lab.port,
        *("link add b0 type veth peer name b1", "link set b0 up", "link set b1 up"),
    )
    other = Interface.find("b0", lab.port.interface.namespace)
    with Engine(wire, forward_to=other) as engine:
        ledger = Ledger(engine)
        move("b0", lab.port, lab.peer)
        assert eventually(lambda: engine.error is not None)
        assert "b0 was moved out of its network namespace" in str(engine.error)
        assert Interface.find("b0", lab.peer.interface.namespace).attached_program() == 0
        # What goes on receiving has nowhere to send, and ends with the first frame.
        send(lab.port)
        assert eventually(lambda: not engine.running)
        assert wire.attached_program() == 0
        assert "b0 was moved" in str(engine.error)
        assert "engine.start()" not in ledger.explain()  # which would be refused


def test_a_ledger_whose_interface_was_removed_still_accounts_for_what_was_seen(
    lab: Lab, wire: Interface
) -> None:
    with Engine(wire) as engine:
        ledger = Ledger(engine)
        send(lab.port)
        assert eventually(lambda: received(engine) >= 10)
        ip(lab.port, "link del v0")
        assert eventually(lambda: engine.error is not None)
        account = ledger.settle()
        assert account.balanced
        assert account.packets("received by the worker") >= 10
        assert "v0 is gone from its network namespace" in account.explain()
        assert "moved" not in account.explain()


def test_a_ledger_whose_lab_was_closed_still_accounts_for_what_was_seen(
    privileged: None,
) -> None:
    lab = Lab(mtu=3400)
    with Engine(lab.port, ring_size=64) as engine, lab.peer.socket() as udp:
        traffic = Traffic(lab.peer, lab.port, rate="max", seconds=0.2)
        ledger = Ledger(engine, traffic)
        # What is lost, and why it is, is looked for where the interface no longer is.
        udp.sendto(bytes(2500), (lab.port.ipv4, 4000))
        assert traffic.start().wait(30)
        assert eventually(lambda: ledger.read().packets("larger than a UMEM frame") == 1)
        seen = ledger.settle(30)
        lab.close()
        assert eventually(lambda: engine.error is not None)
        account = ledger.settle()
        for stage in ("received by the worker", "RX ring full", "larger than a UMEM frame"):
            assert account.packets(stage) == seen.packets(stage)
        assert account.packets("sent by the generator") == seen.packets("sent by the generator")
        assert "port0 is gone from its network namespace" in account.explain()


def test_what_takes_name_and_index_of_an_interface_is_not_taken_for_it(
    lab: Lab, wire: Interface
) -> None:
    with Engine(wire) as engine:
        ledger = Ledger(engine)
        send(lab.port)
        assert eventually(lambda: received(engine) >= 10)
        ip(lab.port, "link del v0")
        assert eventually(lambda: engine.error is not None)
        ip(lab.port, f"link add v0 index {wire.index} type veth peer name p0")
        account = ledger.settle()
        assert account.balanced
        assert account.packets("received by the worker") >= 10
        assert "v0 is gone" in account.explain()
        with pytest.raises(InterfaceGoneError):
            engine.start()


def test_a_ledger_whose_generator_lost_its_interface_says_so(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=1000, count=10)
        ledger = Ledger(engine, traffic)
        assert traffic.start().wait(30)
        assert eventually(lambda: received(engine) >= 10)
        move("peer0", lab.peer, lab.port)
        account = ledger.settle()
        assert account.packets("received by the worker") == 10
        assert account.explain().startswith("peer0 is gone from its network namespace")
        assert "port0 has no carrier, since its peer peer0 is down" in account.explain()


def test_a_link_that_is_down_is_named_first_with_the_command_that_helps(
    lab: Lab, wire: Interface
) -> None:
    with Engine(wire) as engine:
        ledger = Ledger(engine)
        for name, words in (("v0", "v0 is down"), ("p0", "v0 has no carrier")):
            ip(lab.port, f"link set {name} down")
            assert f"running, {words}:" in repr(engine)
            assert engine.running
            assert engine.error is None
            said = ledger.explain().splitlines()
            assert said[0].startswith(words)
            assert f"link set {name} up`" in said[0]
            if lab.backend == "kernel":
                typed(said[0])
            else:
                ip(lab.port, f"link set {name} up")
            assert "running: " in repr(engine)
        assert "v0 was without carrier twice" in ledger.explain().replace("2 times", "twice")
        send(lab.port)
        assert eventually(lambda: received(engine) >= 10)


def test_a_peer_that_moved_away_is_named(lab: Lab, wire: Interface) -> None:
    with Engine(wire) as engine:
        ledger = Ledger(engine)
        move("p0", lab.port, lab.peer)
        said = ledger.explain()
        assert said.startswith("v0 has no carrier, since its peer p0, in another network namespace")
        if lab.backend == "kernel":
            typed(said)
            assert "running: " in repr(engine)


def test_of_two_joined_interfaces_the_one_with_the_dead_far_end_is_named(
    lab: Lab, wire: Interface
) -> None:
    ip(lab.port, "link add b0 type veth peer name b1", "link set b0 up", "link set b1 up")
    other = Interface.find("b0", lab.port.interface.namespace)
    with Engine(wire, forward_to=other) as engine:
        ledger = Ledger(engine)
        send(lab.port)
        assert eventually(lambda: ledger.read().packets("completed") >= 10)
        ip(lab.port, "link set b1 down")
        assert "running, b0 has no carrier:" in repr(engine)
        assert ledger.explain().startswith("b0 has no carrier, since its peer b1 is down")


def test_a_generator_is_told_the_mtu_that_its_interface_has_then(lab: Lab) -> None:
    ip(lab.peer, "link set peer0 mtu 1000")
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=1000, count=10, size=1400)
        ledger = Ledger(engine, traffic)
        assert traffic.start().wait(30)
        account = ledger.settle()
    assert account.packets("longer than the wire's MTU") == 10
    assert "an MTU of 1,000" in account.explain()


def test_forwarding_to_a_link_that_is_down_blames_the_link(lab: Lab, wire: Interface) -> None:
    ip(lab.port, "link add b0 type veth peer name b1", "link set b0 up", "link set b1 up")
    other = Interface.find("b0", lab.port.interface.namespace)
    with Engine(wire, forward_to=other, ring_size=64, wait="spin") as engine:
        ledger = Ledger(engine)
        ip(lab.port, "link set b0 down")
        send(lab.port, 500)
        account = ledger.settle()
        assert account.packets("RX ring full") > 0
        said = account.explain()
        assert said.startswith("b0 is down")
        assert "its core" not in said
        assert "it can't send while a link is down" in said.lower()
        assert "they leave when the link is up again" in said
        assert "RX ring: in flight" not in said
        ip(lab.port, "link set b0 up")
        assert eventually(lambda: ledger.read().packets("waiting in the TX ring") == 0)


@pytest.mark.privilege  # it takes CAP_SYS_ADMIN to reach another's programs
def test_a_program_that_someone_took_off_is_noticed_and_attached_again(
    lab: Lab, wire: Interface
) -> None:
    with Engine(wire) as engine:
        ledger, view = Ledger(engine), LedgerView(engine)
        detach(wire)
        assert "Someone took the engine's XDP program off v0" in str(engine.error)
        assert not engine.running
        assert engine.state == "bypassed"
        for shown in (engine, Dashboard(engine), Controls(engine), Rings(engine), view):
            assert "bypassed" in repr(shown)
            assert "running" not in repr(shown)
            assert "engine.reconfigure() attaches the engine's program again" in repr(shown)
        assert ledger.explain().startswith("Packets no longer reach the engine")
        assert "Is anything sending" not in ledger.explain()
        engine.reconfigure()  # as the error says
        assert engine.error is None
        assert engine.running
        assert engine.state == "running"
        send(lab.port)
        assert eventually(lambda: received(engine) >= 10)


@pytest.mark.privilege
def test_packets_that_came_while_the_program_was_off_are_told(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        ledger = Ledger(engine)
        detach(lab.port.interface)
        send(lab.peer, name="peer0")
        assert "they went to the stack, past the engine" in ledger.explain()
        engine.reconfigure()
        assert "someone else had taken off" in ledger.explain()


@pytest.mark.privilege
def test_a_program_that_someone_put_in_place_of_the_engines_is_noticed(
    lab: Lab, wire: Interface
) -> None:
    with Engine(lab.port), Engine(wire) as engine:
        link, other = link_of(wire.attached_program()), lab.port.interface.attached_program()
        program = LIBBPF.bpf_prog_get_fd_by_id(other)
        assert LIBBPF.bpf_link_update(link, program, None) == 0
        assert f"Someone put XDP program {other} in place" in str(engine.error)
        for descriptor in (link, program):
            os.close(descriptor)
        engine.reconfigure()
        assert engine.error is None


@pytest.mark.privilege
def test_a_socket_that_someone_took_out_of_the_map_is_noticed(lab: Lab, wire: Interface) -> None:
    with Engine(wire) as engine:
        ledger = Ledger(engine)
        sockets = socket_map_of(wire.attached_program())
        assert LIBBPF.bpf_map_delete_elem(sockets, ctypes.byref(ctypes.c_uint32(0))) == 0
        os.close(sockets)
        assert "removed the socket of queue 0" in str(engine.error)
        assert not engine.running
        send(lab.port)
        account = ledger.settle()
        assert account.packets("no socket on the queue") >= 10
        assert account.explain().startswith("Packets no longer reach the engine")
        assert "where no engine is" not in account.explain()
        engine.reconfigure()
        assert engine.error is None
        send(lab.port)
        assert eventually(lambda: received(engine) >= 10)
        said = ledger.explain()
        assert "while the XDP program had no socket for them" in said
        assert "queue=" not in said  # the engine has the queue


def test_queues_that_are_added_while_it_runs_can_be_captured_on(lab: Lab, wire: Interface) -> None:
    with Engine(wire) as engine:
        ledger = Ledger(engine)
        queues(lab.port, 4)
        assert engine.interface.queues == 4
        send(lab.port, 100)  # to one of them, by a hash
        assert eventually(lambda: ledger.read().packets("no socket on the queue") >= 100)
        came = engine.interface.driver_statistics()
        (queue,) = (q for q in range(4) if came[f"rx_queue_{q}_xdp_packets"] >= 100)
        account = ledger.settle(30)
        assert account.balanced
        assert queue in account.situation.stray_queues
        assert "where no engine is" in account.explain()
        engine.reconfigure(queue=queue)
        assert engine.queues == (queue,)
        assert ledger.settle(30).balanced  # with what came on that queue before
        send(lab.port, 100)
        assert eventually(lambda: received(engine) >= 100)
