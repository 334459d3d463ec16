"""The programs of the gallery, run on frames of every kind, and on live traffic."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from support.gallery_frames import frames, value
from support.installs import SOURCE
from support.loads import HOLDABLE_RATE
from support.packets import placed
from support.pings import all_answered
from support.waiting import eventually

from xdplab import GALLERY, FilterRules, Lab, Program, Traffic
from xdplab.fields import read, swap

pytestmark = pytest.mark.kernel  # which runs the programs

COUNT = 500
DROP, PASS = 1, 2


@pytest.fixture(scope="module")
def programs(privileged: None) -> Iterator[dict[str, Program]]:
    """Load each program of the gallery."""
    with Lab() as lab:
        yield {name: Program(GALLERY[name], lab.port) for name in GALLERY}


several = settings(max_examples=100)


def test_each_program_is_told_in_a_sentence_and_has_a_page() -> None:
    page = (SOURCE / "docs" / "gallery.md").read_text()
    for name, program in GALLERY.items():
        assert re.fullmatch(r"[A-Z][^.]+\.", program.about), name
        assert f"## {name}\n" in page
        assert program.about in page
    assert set(GALLERY) == {each.parent.name for each in SOURCE.glob("bpf/gallery/*/*.bpf.c")}


def test_a_source_is_a_beginning_for_a_program_of_ones_own(lab: Lab) -> None:
    source = GALLERY["count"].source.replace("return XDP_PASS", "return XDP_DROP")
    with Program(source, lab.port) as program:
        assert program.said == ""
        assert program.test_run(bytes(60))[0].verdict == "DROP"


@several
@given(frame=frames())
def test_pass_and_drop_give_their_verdict_on_any_frame(
    programs: dict[str, Program], frame: bytes
) -> None:
    for name, verdict in (("pass", "PASS"), ("drop", "DROP")):
        (run,) = programs[name].test_run(frame)
        assert (run.verdict, run.output) == (verdict, frame)


@several
@given(many=st.lists(frames(), min_size=1, max_size=5))
def test_count_counts_what_each_frame_is(programs: dict[str, Program], many: list[bytes]) -> None:
    program, packets, sizes = programs["count"], Counter[Any](), Counter[Any]()
    for frame in many:
        kind = (value("eth.type", frame), value("ip.protocol", frame), 0)
        packets[kind] += 1
        sizes[kind] += len(frame)
    program.maps["counts"].clear()
    runs = program.test_run(many)
    assert [(run.verdict, run.output) for run in runs] == [("PASS", frame) for frame in many]
    found = {tuple(key): tuple(count) for key, count in program.maps["counts"].items()}
    assert found == {kind: (packets[kind], sizes[kind]) for kind in packets}


@several
@given(frame=frames(), chosen=st.booleans())
def test_reflect_sends_datagrams_to_its_port_back_with_right_checksums(
    programs: dict[str, Program], frame: bytes, chosen: bool
) -> None:
    program, port = programs["reflect"], value("udp.dport", frame, None)
    program.variables["port"] = port if chosen and port else 0
    (run,) = program.test_run(frame)
    if port is None:
        assert (run.verdict, run.output) == ("PASS", frame)
        return
    area, where = placed([frame])
    for header in ("eth", "ipv4" if value("eth.type", frame) == 0x800 else "ipv6", "udp"):
        swap(header, area, where)
    assert (run.verdict, run.output) == ("TX", bytes(area))
    program.variables["port"] = port ^ 1 or 2
    (run,) = program.test_run(frame)
    assert (run.verdict, run.output) == ("PASS", frame)


@several
@given(many=st.lists(frames(), min_size=1, max_size=5))
def test_sample_hands_out_the_beginning_of_frames(
    programs: dict[str, Program], many: list[bytes]
) -> None:
    program = programs["sample"]
    program.variables["every"] = 1
    runs = program.test_run(many)
    assert [(run.verdict, run.output) for run in runs] == [("PASS", frame) for frame in many]
    samples = program.maps["samples"].read("struct sample")
    assert [
        (int(each["length"]), each["bytes"].tobytes()[: each["captured"]]) for each in samples
    ] == [(len(frame), frame[:128]) for frame in many]
    program.variables["every"] = 0
    program.test_run(many)
    assert not len(program.maps["samples"].read("struct sample"))
    assert program.variables["lost"] == 0


@several
@given(frame=frames(), rules=st.data())
def test_filter_gives_the_verdict_of_the_longest_prefix_or_of_the_port(
    programs: dict[str, Program], frame: bytes, rules: Any
) -> None:
    program = programs["filter"]
    FilterRules(program).clear()
    verdicts = st.sampled_from([DROP, PASS])
    expected = program.variables["otherwise"] = rules.draw(verdicts)
    protocol = value("ip.protocol", frame)
    port = value("udp.dport", frame, value("tcp.dport", frame, None))
    if port is not None and rules.draw(st.booleans()):
        expected = rules.draw(verdicts)
        program.maps["ports"][place(protocol, int(port))] = (expected, 0, 0)
    source, networks = source_of(frame)
    if source is not None:
        bits = 8 * len(source)
        for prefix in sorted(rules.draw(st.sets(st.integers(0, bits), max_size=3))):
            expected = rules.draw(verdicts)
            program.maps[networks][(prefix, list(source))] = (expected, 0, 0)
        # A rule for another network.
        other = bytes([source[0] ^ 0x80, *source[1:]])
        program.maps[networks][(bits, list(other))] = (3 - expected, 0, 0)
    (run,) = program.test_run(frame)
    assert (run.verdict, run.output) == ("DROP" if expected == DROP else "PASS", frame)


def source_of(frame: bytes) -> tuple[bytes | None, str]:
    """Return the source address of an IP packet, and the map of its networks."""
    found = value("ipv4.src", frame, None)
    if found is not None:
        return int(found).to_bytes(4), "networks4"
    (ipv6,) = read("ipv6.src", *placed([frame]))
    return (None if ipv6.mask.any() else ipv6.tobytes()), "networks6"


def place(protocol: int, port: int) -> int:
    """Return where the filter's array has a port's rule."""
    return port + 65536 * (protocol == 17)


def test_tags_and_extensions_without_end_are_passed(programs: dict[str, Program]) -> None:
    tags = bytes(12) + bytes.fromhex("81000001") * 100 + b"\x08\x00"
    options = bytes(Ether() / IPv6(nh=0)) + bytes(8) * 200
    for name, program in programs.items():
        runs = program.test_run([tags, options])
        expected = "DROP" if name == "drop" else "PASS"
        if name == "filter":
            program.variables["otherwise"] = PASS
            runs = program.test_run([tags, options])
        assert [run.verdict for run in runs] == [expected] * 2, name


@pytest.mark.privilege  # 131,072 runs, each of which would be a message to the broker
def test_all_types_and_all_ports(programs: dict[str, Program]) -> None:
    program = programs["filter"]
    FilterRules(program).clear()
    program.variables["otherwise"] = PASS
    program.maps["ports"].update({place(17, port): (DROP, 0, 0) for port in range(0, 65536, 17)})
    frame = bytearray(bytes(Ether() / IP() / UDP(chksum=0)))
    datagrams = []
    for port in range(65536):
        frame[36:38] = port.to_bytes(2)
        datagrams.append(bytes(frame))
    dropped = [run.verdict == "DROP" for run in program.test_run(datagrams)]
    assert dropped == [port % 17 == 0 for port in range(65536)]
    frame[36:38] = bytes(2)
    typed = [bytes(frame[:12]) + kind.to_bytes(2) + bytes(frame[14:]) for kind in range(65536)]
    passed = [kind for kind, run in enumerate(program.test_run(typed)) if run.verdict == "DROP"]
    assert passed == [0x800]


def test_programs_of_the_gallery_see_live_traffic(lab: Lab) -> None:
    def send() -> None:
        with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 5, count=COUNT) as traffic:
            assert traffic.wait(60)

    udp = (0x800, 17, 0)
    with (
        Program(GALLERY["count"], lab.port) as count,
        Program(GALLERY["sample"], lab.port) as sample,
        Program(GALLERY["filter"], lab.port) as filtering,
        Program(GALLERY["reflect"], lab.port) as reflect,
    ):
        link = count.attach()
        send()
        assert eventually(lambda: count.maps["counts"].get(udp, (0, 0))[0] == COUNT)
        assert all_answered(lab.peer, lab.port.ipv4)
        sample.variables["every"] = 10
        link.replace(sample)
        send()
        assert eventually(lambda: sample.variables["seen"] >= COUNT)
        link.replace(filtering)
        taken: list[Any] = []

        def are_there() -> bool:
            taken.extend(sample.maps["samples"].read("struct sample"))
            return len(taken) == -(-sample.variables["seen"] // 10)

        assert eventually(are_there)
        filtering.maps["ports"][place(17, 9)] = (DROP, 0, 0)
        send()
        assert eventually(lambda: filtering.maps["ports"][place(17, 9)].packets == COUNT)
        peer = [*ip_address(lab.peer.ipv4).packed]
        assert all_answered(lab.peer, lab.port.ipv4)
        filtering.maps["networks4"][(32, peer)] = (DROP, 0, 0)
        assert not lab.peer.ping(lab.port.ipv4).received
        del filtering.maps["networks4"][(32, peer)]
        assert all_answered(lab.peer, lab.port.ipv4)
        link.replace(reflect)
        send()
        assert eventually(lambda: reflect.variables["reflected"] == COUNT)


def test_500_swaps_among_programs_lose_no_packet_of_a_stream(lab: Lab) -> None:
    names = ("count", "filter", "reflect")
    with ExitStack() as stack:
        programs = [stack.enter_context(Program(GALLERY[name], lab.port)) for name in names]
        count, filtering, reflect = programs
        filtering.maps["ports"][place(17, 9)] = (DROP, 0, 0)
        link = count.attach()
        traffic = stack.enter_context(Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE / 5))
        turns = itertools.cycle(programs)

        def taken() -> list[int]:
            return [
                count.maps["counts"].get((0x800, 17, 0), (0, 0))[0],
                filtering.maps["ports"][place(17, 9)].packets,
                reflect.variables["reflected"],
            ]

        for program in itertools.islice(turns, 500):
            link.replace(program)
        # All swaps may take less time than a generator is without its core.
        assert eventually(lambda: link.replace(next(turns)) or all(taken())), taken()
        traffic.stop()
        assert eventually(lambda: sum(taken()) == traffic.sent), (taken(), traffic.sent)
