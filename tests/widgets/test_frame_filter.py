"""The filter of the frame table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdplab.widgets.frames.feed import FrameRow
from xdplab.widgets.frames.filter import FrameFilter


def row(**changes: object) -> FrameRow:
    cells = {
        "number": 1,
        "worker": 0,
        "interface": "port0",
        "time": "14:03:05.123456",
        "queue": 2,
        "verdict": "reflect",
        "source": "198.18.0.1:1024",
        "destination": "[2001:db8::2]:9",
        "protocol": "UDP",
        "length": 64,
        "captured": 64,
        "summary": "IP / UDP 198.18.0.1:1024 > 198.18.0.2:discard / Raw",
        "sample": None,
    }
    return FrameRow(**(cells | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "udp", "UDP", "discard", "proto:udp", "Proto:UDP", "queue:2", "len:64"),
        *("src:198.18", "dst:2001:db8::2", "2001:db8::2", "time:14:03", "verdict:reflect"),
        *("!tcp", "udp !arp src:198.18.0.1", '"> 198.18"', '!"< 198.18"', "port0", "!proto:ud"),
    ],
)
def test_these_let_it_through(text: str) -> None:
    assert FrameFilter(text)(row())


@pytest.mark.parametrize(
    "text",
    [
        *("tcp", "proto:ud", "queue:22", "len:6", "src:2001", "!udp", "!proto:udp", "udp tcp"),
        *("proto:udp !src:198.18", '"udp  tcp"', "!discard", "2001:db8::3", "port:9"),
    ],
)
def test_these_do_not(text: str) -> None:
    assert not FrameFilter(text)(row())


@given(st.text(), st.text())
def test_any_text_is_a_filter(text: str, summary: str) -> None:
    assert isinstance(FrameFilter(text)(row(summary=summary)), bool)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P"]), min_size=1))
def test_an_exclamation_mark_turns_a_term_round(word: str) -> None:
    assume_no_syntax = word.replace("!", "x").replace('"', "x")
    plain, negated = FrameFilter(assume_no_syntax), FrameFilter(f"!{assume_no_syntax}")
    assert plain(row()) != negated(row())
