"""What each case of the kernel's selftest has: a pair of ports, once in each mode.

On this machine they are a lab's, in a guest of `make vm` its two cards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from guests.lists import CARDS
from selftest.cases import CASES
from support.cards import MODES, Cards, cards_up
from support.pairs import Pair, StayingPrograms

_CARD = os.environ.get("XDPLAB_VM_CARD")


def _modes() -> list[str]:
    """Name the modes that there are; tests/vm sees that an engine refuses the others."""
    if not _CARD:
        return ["native", "skb"]
    major, minor = os.uname().release.split(".")[:2]
    release, card = (int(major), int(minor)), CARDS[_CARD]
    since = {"zero-copy": card.zero_copy_since, "native": card.native_since, "skb": (0, 0)}
    return [mode for mode in MODES if (first := since[mode]) is not None and release >= first]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all: of other backends a lab has no ports of its own."""
    for item in items:
        if "pair" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.privilege)
            item.add_marker(pytest.mark.filterwarnings("ignore:wait=.* is ineffective here"))


@pytest.fixture(scope="session")
def cards() -> Iterator[Cards]:
    """Have two cards, and huge pages, with which a driver takes frames across pages."""
    Path("/proc/sys/vm/nr_hugepages").write_text("16")
    with cards_up() as made:
        yield made


@pytest.fixture(scope="session")
def staying(cards: Cards) -> Iterator[StayingPrograms]:
    """Have the cards' programs."""
    made = StayingPrograms()
    yield made
    made.close()


@pytest.fixture(scope="session", autouse=True)
def _where(record_testsuite_property: Callable[[str, object], None]) -> None:
    """Keep where this runs, for the table."""
    record_testsuite_property("release", os.uname().release)
    record_testsuite_property("ports", _CARD or "veth")


@pytest.fixture
def pair(request: pytest.FixtureRequest, mode: str, busy: bool, case: str) -> Pair:
    """Have two ports in a mode, with and without busy polling."""
    record = request.getfixturevalue("record_property")
    place = list(CASES).index(case)
    facts = {"case": case, "place": place, "rule": CASES[case], "mode": mode, "busy": busy}
    for name, value in facts.items():
        record(name, value)
    if _CARD:
        cards = request.getfixturevalue("cards")
        staying = request.getfixturevalue("staying")
        return Pair(cards.first, cards.second, mode, busy, record, staying)
    lab = request.getfixturevalue("lab")
    return Pair(lab.port, lab.peer, mode, busy, record)


@pytest.fixture(params=_modes())
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["", "busy polling"])
def busy(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)
