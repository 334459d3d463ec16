"""Where a device puts packets: its settings are attributes, and are put back."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.waiting import eventually

from xdplab import (
    ClosedError,
    ConfigurationError,
    Engine,
    FlowRule,
    KernelError,
    Lab,
    Sampling,
    Steering,
)
from xdplab.doctor.steering import judge_steering
from xdplab.knobs.table import names_of_home
from xdplab.ledger.flows import FlowKey, of_settings
from xdplab.net.flow_rules import rule_of, spec_of
from xdplab.net.rss import Rss
from xdplab.net.steering import Steered
from xdplab.net.toeplitz import hashed_fields, toeplitz

# A veth has channels, and none of the rest.
pytestmark = pytest.mark.kernel

# Microsoft, "Verifying the RSS Hash Calculation": the key, and results without and with ports.
KEY = bytes.fromhex(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa"
)
RESULTS = [
    ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323E8FC2, 0x51CCC178),
    ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xD718262A, 0xC626B0EA),
    ("24.19.198.95", 12898, "12.22.207.184", 38024, 0xD2D0A5DE, 0x5C2B394A),
    ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2CC18CD5, 0x40207D3D),
]

# What ethtool(8) 6.1 hands to the kernel for the same rules, seen at its ioctl: the type of the
# flow, values and masks, the queue, and the place.
RULES = [
    (  # flow-type udp4 src-ip 198.18.0.2 dst-ip 198.18.0.1 src-port 9 dst-port 4711 action 1 loc 5
        FlowRule("udp", 1, "198.18.0.2", "198.18.0.1", 9, 4711),
        (2, "c6120002c612000100091267", 12 * "ff", 1, 5),
    ),
    (  # flow-type tcp6 dst-ip 2001:db8::1 dst-port 80 action -1 loc 7
        FlowRule("tcp", None, destination="2001:db8:0::1", destination_port=80),
        (
            5,
            16 * "00" + "20010db8000000000000000000000001" + "00000050",
            16 * "00" + 16 * "ff" + "0000ffff",
            (1 << 64) - 1,
            7,
        ),
    ),
]


@pytest.fixture
def lab_of_two(privileged: None) -> Iterator[Lab]:
    """Have a lab with two queues."""
    with Lab(queues=2) as lab:
        yield lab


def channels(lab: Lab) -> tuple[int | None, int | None]:
    steering = Steering(lab.port)
    return steering.rx_channels, steering.tx_channels


def test_channels_are_attributes_and_are_put_back(lab_of_two: Lab) -> None:
    with Steering(lab_of_two.port) as steering:
        assert (steering.channels, steering.rx_channels, steering.tx_channels) == (None, 2, 2)
        steering.tx_channels = 1
        assert channels(lab_of_two) == (2, 1)
        assert lab_of_two.port.command(["ethtool", "-l", "port0"]).returncode == 0
    assert channels(lab_of_two) == (2, 2)
    with pytest.raises(ClosedError, match=r"Steering\('port0'\)"):
        steering.tx_channels = 1


def test_they_are_put_back_when_nobody_has_it_any_more(lab_of_two: Lab) -> None:
    steering = Steering(lab_of_two.port)
    steering.tx_channels = 1
    del steering
    gc.collect()
    assert channels(lab_of_two) == (2, 2)


def test_an_engine_puts_them_back_when_it_is_closed(lab_of_two: Lab) -> None:
    with Engine(lab_of_two.port) as engine:
        engine.steering.tx_channels = 1
        assert engine.journal.last is not None
        assert (engine.journal.last.knob, engine.journal.last.after) == ("tx_channels", 1)
        assert channels(lab_of_two) == (2, 1)
    assert channels(lab_of_two) == (2, 2)


def test_what_another_program_set_meanwhile_is_named_and_stays(privileged: None) -> None:
    with (
        Lab(queues=3) as lab,
        Steering(lab.port) as steering,
        Steering(lab.port) as another,
    ):
        steering.rx_channels = steering.tx_channels = 2
        another.rx_channels = 1
        with pytest.warns(UserWarning, match=r"rx_channels of port0 is 1 now.*It was 3 before"):
            steering.close()
        assert channels(lab) == (1, 3)


def test_what_the_driver_refuses_is_named_and_changes_nothing(lab_of_two: Lab) -> None:
    with Steering(lab_of_two.port) as steering:
        with pytest.raises(
            KernelError, match=r"set rx_channels of port0 to 9: .*EINVAL.*2 at most"
        ):
            steering.rx_channels = 9
        assert channels(lab_of_two) == (2, 2)


def test_a_forked_child_puts_nothing_back(lab_of_two: Lab) -> None:
    with Steering(lab_of_two.port) as steering:
        steering.tx_channels = 1
        if not (child := os.fork()):
            steering.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert channels(lab_of_two) == (2, 1)


@pytest.mark.parametrize("name", names_of_home("steering"))
def test_a_setting_that_a_driver_lacks_is_none_and_can_not_be_set(lab: Lab, name: str) -> None:
    with Steering(lab.port) as steering:
        assert getattr(steering, name) is None
        with pytest.raises(ConfigurationError, match=f"{name} can't be set: the driver of port0"):
            setattr(steering, name, True if name == "adaptive_rx" else 64)


def test_a_veth_has_no_hash_and_no_rules(lab: Lab) -> None:
    with Steering(lab.port) as steering:
        assert (steering.table, steering.key, steering.hashes_ports) == (None, None, {})
        assert steering.rules == {}
        for set_it in (
            lambda: setattr(steering, "table", [0]),
            lambda: setattr(steering, "key", bytes(40)),
            lambda: steering.hash_ports("udp4"),
        ):
            with pytest.raises(ConfigurationError, match="has no such setting"):
                set_it()
        with pytest.raises(KernelError, match=r"add the rule 'udp to any port 9: queue 1'.*EOPNOT"):
            steering.add_rule(FlowRule("udp", 1, destination_port=9))


def test_a_rule_is_refused_that_can_not_be_one() -> None:
    for wrong in (
        lambda: FlowRule("icmp", 0),
        lambda: FlowRule("udp", -1),
        lambda: FlowRule("udp", 0, destination="lab.port"),
        lambda: FlowRule("udp", 0, "198.18.0.1", "2001:db8::1"),
        lambda: FlowRule("udp", 0, source_port=65_536),
    ):
        with pytest.raises(ConfigurationError):
            wrong()


@pytest.mark.parametrize("example", RESULTS)
def test_the_hash_is_toeplitzs(example: tuple[str, int, str, int, int, int]) -> None:
    source, port, destination, to_port, bare, full = example
    assert toeplitz(KEY, hashed_fields(source, destination, None, None)) == bare
    assert toeplitz(KEY, hashed_fields(source, destination, port, to_port)) == full


@pytest.mark.parametrize(("rule", "told"), RULES)
def test_a_rule_is_told_as_ethtool_tells_it(
    rule: FlowRule, told: tuple[int, str, str, int, int]
) -> None:
    kind, values, masks, queue, place = told
    spec = spec_of(rule, place)
    # struct ethtool_rx_flow_spec: behind values and masks 20 bytes each that no rule of ours has.
    assert bytes(spec) == (
        kind.to_bytes(4, "little")
        + bytes.fromhex(values).ljust(52 + 20, b"\0")
        + bytes.fromhex(masks).ljust(52 + 20 + 4, b"\0")
        + queue.to_bytes(8, "little")
        + place.to_bytes(4 + 4, "little")
    )
    assert rule_of(spec) == rule


def test_flows_are_told_apart_and_where_they_arrived(lab_of_two: Lab) -> None:
    sampled = Sampling(every=1)
    with Engine(lab_of_two.port, queue=[0, 1], sampling=sampled) as engine:
        sources = set()
        for version, target in ((socket.AF_INET, "ipv4"), (socket.AF_INET6, "ipv6")):
            with lab_of_two.peer.socket(version) as udp:
                for _ in range(5):
                    udp.sendto(b"x", (getattr(lab_of_two.port, target), 4711))
                sources.add(udp.getsockname()[1])
        assert eventually(lambda: int(engine.telemetry.total()["rx_packets"]) >= 10)
        flows = engine.flows()
        arrived = [int(engine.telemetry.counters(n)["rx_packets"]) for n in range(2)]
    ours = [flow for flow in flows.flows if flow.key.destination_port == 4711]
    assert {flow.key.source_port for flow in ours} == sources
    assert {flow.key.source for flow in ours} == {lab_of_two.peer.ipv4, lab_of_two.peer.ipv6}
    assert [sum(flow.packets.values()) for flow in ours] == [5, 5]
    for queue in range(2):
        assert sum(flow.packets.get(queue, 0) for flow in flows.flows) == arrived[queue]
    assert {(flow.queue, flow.as_expected) for flow in ours} == {(None, None)}
    assert "no RSS in this driver" in str(flows)
    assert "Queue 1:" in flows._repr_html_()


def steered(ports: bool) -> Steered:
    """Return settings of a card that hashes with the key of the examples."""
    table = tuple(place % 4 for place in range(128))
    return Steered({}, {}, Rss(table, KEY, True, {"tcp4": ports, "tcp6": ports}))


@pytest.mark.parametrize("example", RESULTS)
@pytest.mark.parametrize("ports", [True, False])
def test_hash_and_table_say_where_a_flow_goes(
    example: tuple[str, int, str, int, int, int], ports: bool
) -> None:
    source, port, destination, to_port, bare, full = example
    key = FlowKey("tcp", source, destination, port, to_port)
    number = full if ports else bare
    queue, why = of_settings(key, steered(ports), {})
    assert queue == number % 128 % 4
    assert f"{number:#010x}" in why


def test_a_rule_goes_before_the_hash() -> None:
    key = FlowKey("tcp", "66.9.149.187", "161.142.100.80", 2794, 1766)
    rules = {
        5: FlowRule("udp", 0, destination_port=1766),
        6: FlowRule("tcp", 3, "66.9.149.187", destination_port=1766),
    }
    assert of_settings(key, steered(ports=True), rules) == (3, "rule 6")
    unknown = {4: "a rule of another kind, flow type 0x12"}
    assert of_settings(key, steered(ports=True), unknown)[0] is None


@pytest.mark.privilege  # to enter the lab's namespace from another process
def test_the_end_of_a_process_puts_back(lab_of_two: Lab) -> None:
    changes = (
        "import sys; from xdplab import Interface, Steering\n"
        "from xdplab.net.namespace import Namespace\n"
        "there = Interface.find('port0', Namespace(int(sys.argv[1])))\n"
        "kept = Steering(there); kept.tx_channels = 1\n"
        "assert Steering(there).tx_channels == 1\n"
    )
    fd = lab_of_two.port.interface.namespace.fd
    subprocess.run([sys.executable, "-c", changes, str(fd)], pass_fds=[fd], check=True)
    assert channels(lab_of_two) == (2, 2)


def test_the_doctor_tells_that_udp_lands_on_one_queue() -> None:
    rss = Rss((0, 1) * 64, KEY, True, {"tcp4": True, "udp4": False})
    found = judge_steering("enp1s0", Steered({"rx_ring": 256}, {"rx_ring": 4096}, rss), {})
    assert found.verdict == "limited"
    assert "256 received frames a queue, 4,096 at most" in found.seen
    assert found.remedy == "`sudo ethtool -N enp1s0 rx-flow-hash udp4 sdfn`."
    one_queue = rss._replace(table=(0,) * 128)
    assert judge_steering("enp1s0", Steered({}, {}, one_queue), {}).verdict == "good"
