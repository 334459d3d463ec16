"""Rules of the gallery's filter, set by networks and ports."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.loads import HOLDABLE_RATE
from support.waiting import eventually

from xdplab import (
    GALLERY,
    ConfigurationError,
    FilterRules,
    Lab,
    MissingKeyError,
    Program,
    Traffic,
)

pytestmark = pytest.mark.kernel  # which runs the programs

COUNT = 300
NETWORKS = st.one_of(
    st.builds(
        lambda a, p: ip_network((a, p), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)
    ),
    st.builds(
        lambda a, p: ip_network((a, p), strict=False),
        st.integers(2**32, 2**128 - 1),
        st.integers(0, 128),
    ),
)
PORTS = st.builds(
    lambda name, port: f"{name} {port}", st.sampled_from(["tcp", "udp"]), st.integers(0, 65535)
)
ABOUT = st.one_of(NETWORKS.map(str), PORTS)


@pytest.fixture
def rules(lab: Lab) -> Iterator[FilterRules]:
    with Program(GALLERY["filter"], lab.port) as program:
        program.attach()
        yield FilterRules(program)


@pytest.fixture(scope="module")
def unattached(privileged: None) -> Iterator[FilterRules]:
    with Lab() as lab, Program(GALLERY["filter"], lab.port) as program:
        yield FilterRules(program)


@settings(max_examples=50)
@given(wanted=st.dictionaries(ABOUT, st.sampled_from(["drop", "pass"]), max_size=8))
def test_rules_are_a_mapping(unattached: FilterRules, wanted: dict[str, str]) -> None:
    unattached.clear()
    unattached.update(wanted)
    assert {about: rule.verdict for about, rule in unattached.items()} == wanted
    assert len(unattached) == len(wanted)
    for about, verdict in wanted.items():
        assert unattached[about] == (verdict, 0)
        assert about in unattached
        del unattached[about]
        assert about not in unattached


def send(lab: Lab) -> None:
    with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=COUNT) as traffic:
        traffic.wait(60)


def test_each_rule_counts_what_it_decides_while_rules_change(lab: Lab, rules: FilterRules) -> None:
    rules["198.18.0.0/15"] = "drop"
    send(lab)
    assert eventually(lambda: rules["198.18.0.0/15"].packets == COUNT)
    rules[f"{lab.peer.ipv4}/32"] = "pass"
    rules["udp 9"] = "drop"
    send(lab)
    assert eventually(lambda: rules[lab.peer.ipv4].packets == COUNT)
    assert rules["198.18.0.0/15"].packets == COUNT
    assert rules["udp port 9"].packets == 0
    assert [line.split() for line in str(rules).splitlines()] == [
        ["Rules", "of", "the", "filter"],
        ["about", "verdict", "packets"],
        [f"{lab.peer.ipv4}/32", "pass", f"{COUNT}"],
        ["198.18.0.0/15", "drop", f"{COUNT}"],
        ["udp", "9", "drop", "0"],
        ["otherwise", "pass"],
    ]
    rules["198.18.0.0/15"] = "drop"
    assert rules["198.18.0.0/15"].packets == 0


def test_otherwise_is_the_verdict_without_a_rule(lab: Lab, rules: FilterRules) -> None:
    assert rules.otherwise == "pass"
    rules[f"{lab.peer.ipv4}"] = "pass"
    rules.otherwise = "drop"
    assert rules.otherwise == "drop"
    assert repr(rules) == "<FilterRules: 1, otherwise drop>"
    assert lab.peer.ping(lab.port.ipv6, timeout=0.2).received == 0


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ("198.18.0.1/15", "has host bits set"),
        ("udp 65536", "must be a network, such as"),
        ("sctp 9", "must be a network, such as"),
        ("", "must be a network, such as"),
        (9, "rule=9"),
        ("10.0.0.0/33", "must be a network, such as"),
    ],
)
def test_what_is_no_rule_is_refused_in_its_own_words(
    unattached: FilterRules, about: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        unattached[about] = "drop"
    assert about not in unattached


def test_a_wrong_verdict_or_a_missing_rule_is_told(unattached: FilterRules) -> None:
    with pytest.raises(ConfigurationError, match="verdict='dorp' is none of: drop, pass"):
        unattached["udp 9"] = "dorp"
    with pytest.raises(MissingKeyError, match=r"no rule about 10\.0\.0\.0/8"):
        unattached["10.0.0.0/8"]
    with pytest.raises(MissingKeyError, match="no rule about udp 9"):
        del unattached["udp 9"]
    with pytest.raises(ConfigurationError, match="othrewise"):
        unattached.othrewise = "drop"  # type: ignore[attr-defined]


def test_another_program_is_refused(lab: Lab) -> None:
    with Program(GALLERY["count"], lab.port) as program:
        with pytest.raises(ConfigurationError, match="count has not the filter's maps, networks4,"):
            FilterRules(program)
        with pytest.raises(ConfigurationError, match="a Program"):
            FilterRules("filter")  # type: ignore[arg-type]
