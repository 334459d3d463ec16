"""The gallery's sharder, and the key-value service of docs/key-value.md that is built on it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw
from support.installs import SOURCE
from support.loads import HOLDABLE_RATE
from support.packets import packets, placed
from support.waiting import eventually

from xdplab import GALLERY, Capture, ConfigurationError, Engine, Lab, Program, Traffic
from xdplab.fields import read

pytestmark = pytest.mark.kernel  # which runs the programs

PORT, SHARDS = 7400, 4
SHARDING = {"port": PORT, "shards": SHARDS, "key_at": 1, "key_bytes": 4}
ENTRY = "return bpf_redirect_map(&sockets, "
NOWHERE = 0xFFFFFFFF
several = settings(max_examples=100)


def telling(lab: Lab, **constants: int) -> Program:
    """Load the sharder so that it tells the entry that it chooses, and sends the frame back."""
    source = GALLERY["sharder"].source.replace(ENTRY, "return tell(")
    told = "__u32 chosen; static __always_inline int tell(__u32 entry, int otherwise)"
    told += " { (void)otherwise; chosen = entry; return XDP_TX; }"
    source = source.replace('SEC("xdp.frags")', f'{told}\nSEC("xdp.frags")', 1)
    return Program(source, lab.port, constants={**SHARDING, **constants})


@pytest.fixture(scope="module")
def sharder(privileged: None) -> Iterator[Program]:
    with Lab() as lab, telling(lab) as program:
        yield program


def chosen(program: Program, frame: bytes) -> int:
    """Return the entry that the program chooses for a frame; `NOWHERE` where it passes it."""
    program.variables["chosen"] = NOWHERE
    (run,) = program.test_run(frame)
    entry = int(program.variables["chosen"])
    assert (run.verdict, run.output) == ("PASS" if entry == NOWHERE else "TX", frame)
    return entry


def request(key: bytes, before: bytes = b"G", after: bytes = b"", port: int = PORT) -> Packet:
    return UDP(sport=5, dport=port) / Raw(before + key + after)


def test_a_key_has_one_owner_whatever_is_around_it(sharder: Program) -> None:
    for key in (bytes(4), b"test", b"\xff" * 4, b"abcd"):
        ways = [
            Ether() / IP() / request(key),
            Ether() / IP(src="198.18.0.77", ttl=3) / request(key, b"S", bytes(200)),
            Ether() / Dot1Q(vlan=5) / Dot1Q(vlan=6) / IP() / request(key),
            Ether() / IP(options=b"\x01" * 8) / request(key),
            Ether() / IPv6() / request(key),
            Ether() / IPv6() / IPv6ExtHdrDestOpt() / request(key),
            Ether() / IP(flags="MF") / request(key),  # the first fragment has it all
        ]
        owners = {chosen(sharder, bytes(each)) for each in ways}
        assert len(owners) == 1
        assert owners.pop() < SHARDS


def test_the_hash_is_murmurhash3(lab: Lab) -> None:
    with telling(lab, shards=1 << 31) as program:
        found = chosen(program, bytes(Ether() / IP() / request(b"test")))
    assert found == 0xBA6BD213 >> 1  # its well-known hash


def test_what_is_no_request_is_passed(sharder: Program) -> None:
    whole = bytes(Ether() / IP() / request(b"abcd"))
    passed = [
        bytes(Ether() / IP() / request(b"abcd", port=PORT + 1)),
        bytes(Ether() / IP() / request(b"abc")),  # too short for the key
        bytes(Ether() / IP() / request(b"")),
        bytes(Ether() / IP() / request(b"abc")) + bytes(20),  # the rest is no part of the datagram
        bytes(Ether() / IP(frag=5) / request(b"abcd")),
        bytes(Ether() / IPv6() / IPv6ExtHdrFragment(offset=3) / request(b"abcd")),
        bytes(Ether() / IP(proto=6) / request(b"abcd", after=bytes(20))),
        *(whole[:length] for length in range(14, len(whole))),
    ]
    for frame in passed:
        assert chosen(sharder, frame) == NOWHERE, frame


@several
@given(packet=packets, cut=st.integers(0, 60), damage=st.lists(st.integers(0, 255), max_size=3))
def test_any_frame_is_sharded_or_passed_as_it_is(
    sharder: Program, packet: Packet, cut: int, damage: list[int]
) -> None:
    frame = bytearray(bytes(packet))
    for place, value in enumerate(damage):
        frame[(value * 7 + place) % len(frame)] = value
    if cut and len(frame) - cut >= 14:
        del frame[-cut:]
    (port,) = read("udp.dport", *placed([bytes(frame)]))
    entry = chosen(sharder, bytes(frame))
    assert entry < SHARDS or entry == NOWHERE
    if port is None or port != PORT:
        assert entry == NOWHERE


@settings(max_examples=20)
@given(key=st.binary(min_size=1, max_size=32), at=st.integers(0, 100))
def test_the_key_alone_counts(privileged: None, key: bytes, at: int) -> None:
    # Loading takes far longer than a run.
    with Lab() as lab, telling(lab, key_at=at, key_bytes=len(key)) as program:
        frames = [
            bytes(Ether() / IP() / request(key, bytes([fill]) * at, bytes([fill]) * more))
            for fill, more in ((0, 0), (255, 0), (7, 40))
        ]
        assert len({chosen(program, frame) for frame in frames}) == 1


def test_keys_are_spread_evenly(sharder: Program) -> None:
    shares = Counter(
        chosen(sharder, bytes(Ether() / IP() / request(number.to_bytes(4))))
        for number in range(1_000)
    )
    assert sorted(shares) == list(range(SHARDS))
    assert all(200 < share < 300 for share in shares.values()), shares


@pytest.mark.parametrize("constants", [{"shards": 0}, {"key_bytes": 0}, {"key_bytes": 33}])
def test_constants_that_can_not_work_pass_all(lab: Lab, constants: dict[str, int]) -> None:
    with telling(lab, **constants) as program:
        assert chosen(program, bytes(Ether() / IP() / request(bytes(60)))) == NOWHERE


def test_a_stream_is_spread_over_four_sockets_without_loss(lab: Lab) -> None:
    count = 4_000
    constants = {"port": 9, "shards": SHARDS, "key_at": 2, "key_bytes": 8}
    with (
        Program(GALLERY["sharder"], lab.port, constants=constants) as program,
        Engine(lab.port, program=program, sockets=SHARDS, ring_size=8192) as engine,
    ):
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=count)
        ledger = engine.ledger(traffic)
        with traffic:
            assert traffic.wait(60)
            account = ledger.settle(30)
        assert account.balanced, account
        assert account.packets("received by the worker") == count
        shares = [int(engine.telemetry.counters(n)["rx_packets"]) for n in range(SHARDS)]
        assert sum(shares) == count
        assert all(850 < share < 1150 for share in shares), shares


def page() -> dict[str, Any]:
    """Run the definitions of the page's example."""
    text = (SOURCE / "docs" / "key-value.md").read_text()
    code = text.partition("```python\n")[2].partition("\nwith (")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    return names


@pytest.mark.privilege  # in the suites of other backends there are no pages
def test_a_key_is_served_by_its_owner_alone_and_no_request_is_lost(lab: Lab) -> None:
    """Several clients at once ask a service of as many shards."""
    names, clients, keys = page(), 4, 60
    wrong: list[Any] = []
    asked = [0] * clients

    def ask(client: Any, number: int) -> None:
        def expect(answer: Any, *request: Any) -> None:
            asked[number] += 1
            if (found := client.ask(*request)) != answer:
                wrong.append((request, found))

        mine = [f"{number} {key}" for key in range(keys)]
        for key in mine:
            expect(None, b"G", key)
            expect(f"of {key}", b"S", key, f"of {key}")
        for key in mine:
            expect(f"of {key}", b"G", key)
            expect(f"of {key}", b"D", key)
            expect(None, b"G", key)
            expect("again", b"S", key, "again")

    with (
        Program(GALLERY["sharder"], lab.port, constants=names["sharding"]) as program,
        Capture(lab.port, program=program, sockets=SHARDS) as capture,
    ):
        shards = [names["Shard"](receiver) for receiver in capture.receivers]
        those = [names["Client"](lab.peer, lab.port.ipv4) for _ in range(clients)]
        for each in those:
            each.socket.settimeout(60)
        ledger = capture.ledger()
        threads = [
            *shards,
            *(
                threading.Thread(target=ask, args=(client, number))
                for number, client in enumerate(those)
            ),
        ]
        for thread in threads:
            thread.start()
        for thread in threads[SHARDS:]:
            thread.join(120)
        assert eventually(lambda: sum(shard.served for shard in shards) == sum(asked))
        for shard in shards:
            shard.over.set()
            shard.join(60)
        for each in those:
            each.socket.close()
        assert wrong == []
        assert asked == [keys * 6] * clients
        owned = [set(shard.table) for shard in shards]
        assert sum(map(len, owned)) == len(set().union(*owned)) == clients * keys
        assert all(owned), "each shard has keys"
        account = ledger.settle(10)
        assert account.balanced, account
        assert account.packets("received by the worker") == sum(asked)


def test_a_request_whose_socket_is_not_there_goes_to_the_stack(lab: Lab) -> None:
    with (
        Program(GALLERY["sharder"], lab.port, constants={"port": PORT}) as program,
        lab.port.socket() as server,
        lab.peer.socket() as client,
    ):
        program.attach()
        server.bind((lab.port.ipv4, PORT))
        server.settimeout(60)
        client.sendto(b"abcd", (lab.port.ipv4, PORT))
        assert server.recv(100) == b"abcd"


def test_a_constant_of_another_name_is_refused(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match="key_at"):
        Program(GALLERY["sharder"], lab.port, constants={"key": 1})
