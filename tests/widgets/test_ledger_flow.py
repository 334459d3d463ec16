"""A ledger's lines become a flow in which nothing overlaps, and every width is somebody's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdplab.ledger.account import Account, Stage
from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation
from xdplab.widgets.ledger.flow import (
    DROPPED,
    MADE,
    MORE_FRAMES,
    PROGRAM,
    UNSENT,
    Flow,
    Kind,
    flow_of,
)
from xdplab.widgets.ledger.layout import LINE, THINNEST, lay_out
from xdplab.widgets.parts.bands import Interval

PACKETS = st.one_of(st.just(0), st.integers(0, 20), st.integers(0, 10**9))
AFTERTHOUGHTS = {Line.BEGUN, Line.TOO_MANY, Line.TX_BEGUN, Line.ON_WIRE}  # only where there is any


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """Any counts at all: counting points are read in turn, and not every ledger has all."""
    lines = list(Line)
    first = draw(st.sampled_from([Line.SENT, Line.DEVICE, Line.STACK]))
    last = draw(st.sampled_from([Line.RECEIVED, Line.TX_DROPPED, Line.FAR_END]))
    present = lines[lines.index(first) : lines.index(last) + 1]
    stages = [
        Stage(line, packets)
        for line in present
        if (packets := draw(PACKETS)) or line not in AFTERTHOUGHTS
    ]
    return Account(tuple(stages), draw(PACKETS), Situation(flowing=draw(st.booleans())))


flows = st.builds(flow_of, accounts(), generates=st.booleans(), multi_buffer=st.booleans())


def account(flowing: bool = False, unaccounted: int = 0, **packets: int) -> Account:
    stages = tuple(Stage(Line[name], count) for name, count in packets.items())
    return Account(stages, unaccounted, Situation(flowing=flowing))


def ways(flow: Flow) -> dict[str, int]:
    """Return all that joins or leaves between the beginning and the end."""
    return {
        way.name: way.packets for way in (*flow.ways_in, *flow.ways_out) if way.kind != Kind.STREAM
    }


def disjoint(intervals: list[Interval]) -> bool:
    return all(one.high <= other.low + 1e-6 for one, other in pairwise(sorted(intervals)))


@given(flows)
def test_what_comes_in_goes_out(flow: Flow) -> None:
    assert sum(way.packets for way in flow.ways_in) == sum(way.packets for way in flow.ways_out)
    assert sum(each.packets for each in flow.stretches) == sum(way.packets for way in flow.ways_in)
    for number, way in enumerate(flow.ways_in):
        assert way.packets == sum(e.packets for e in flow.stretches if e.way_in == number) > 0
    for number, way in enumerate(flow.ways_out):
        assert way.packets == sum(e.packets for e in flow.stretches if e.way_out == number) > 0


@given(accounts(), st.booleans())
def test_every_loss_has_a_branch_of_as_many_packets(account: Account, generates: bool) -> None:
    lost = {
        way.name: way.packets
        for way in flow_of(account, generates=generates).ways_out
        if way.kind == Kind.LOST
    }
    assert lost == {
        stage.stage: stage.packets for stage in account.stages if stage.lost and stage.packets
    }


@given(flows)
def test_through_each_point_flows_what_it_counted(flow: Flow) -> None:
    for number, point in enumerate(flow.points):
        through = sum(
            each.packets
            for each in flow.stretches
            if flow.ways_in[each.way_in].after < number
            and ((out := flow.ways_out[each.way_out]).after >= number or out.kind == Kind.STREAM)
        )
        assert through == point.packets


@given(flows)
def test_nothing_overlaps_anywhere(flow: Flow) -> None:
    layout = lay_out(flow)
    for x in np.linspace(0, layout.steps[-1][0], 97):
        there = [band.at(float(x)) for band in layout.bands if band.start <= x < band.end]
        assert disjoint([*there, layout.stream_at(float(x))])
    landed = [band.ends for band in layout.bands if band.ends != band.begins]
    assert disjoint(landed)
    assert all(place.high < 0 for place in landed)


@given(flows)
def test_widths_add_up_and_the_least_packet_is_seen(flow: Flow) -> None:
    layout = lay_out(flow)
    assert all(band.begins.width >= THINNEST - 1e-6 for band in layout.bands)
    assert all(band.begins.width == pytest.approx(band.ends.width) for band in layout.bands)
    joining = [band for band in layout.bands if band.begins == band.ends]
    leaving = [band for band in layout.bands if band.begins != band.ends]
    for x in np.linspace(0, layout.steps[-1][0], 97):
        joined = sum(band.begins.width for band in joining if band.end <= x)
        left = sum(band.begins.width for band in leaving if band.start <= x)
        width = layout.stream_at(0.0).width + joined - left
        assert layout.stream_at(float(x)).width == pytest.approx(width, abs=1e-6)


@given(flows)
def test_words_keep_apart(flow: Flow) -> None:
    layout = lay_out(flow)

    def rows() -> Iterator[Interval]:
        for _, y, text in layout.out_words:
            half = 8 * (text.count("\n") + 1)
            yield Interval(y - half, y + half)
        for _, y, _ in layout.in_words:
            yield Interval(y - 8, y + 8)

    assert disjoint(list(rows()))
    assert all(layout.reach.low <= row.low and row.high <= layout.reach.high for row in rows())
    # Above the highest there is room to the words of the page.
    assert all(y + LINE <= layout.reach.high for _, y, _ in layout.in_words)
    # No way out crosses the words beside one that left before it.
    for band in (each for each in layout.bands if each.begins != each.ends):
        assert all(y < band.ends.low for x, y, _ in layout.out_words if x < band.start)


@pytest.mark.parametrize("flowing", [False, True])
def test_a_remainder_is_shown_where_it_is_missing(flowing: bool) -> None:
    flow = flow_of(
        account(flowing, unaccounted=7, SENT=100, DEVICE=100, REDIRECTED=93, RECEIVED=93)
    )
    (way,) = (way for way in flow.ways_out if way.kind != Kind.STREAM)
    assert way.kind == Kind.REMAINDER
    assert way.name == ("in flight" if flowing else "unaccounted")
    assert (way.packets, flow.points[way.after].name) == (7, Line.DEVICE)
    assert way.whole == 100


def test_a_point_that_counted_more_than_came_is_shown_too() -> None:
    flow = flow_of(account(unaccounted=5, DEVICE=10, REDIRECTED=15, RECEIVED=15))
    assert ways(flow) == {"unaccounted": 5}
    assert flow.ways_in[1].kind == Kind.REMAINDER


def test_what_was_on_the_way_when_it_began_joins_where_it_is_missing() -> None:
    on_wire = flow_of(account(ON_WIRE=3, DEVICE=10, REDIRECTED=13, RECEIVED=13))
    assert [(way.name, way.after) for way in on_wire.ways_in[1:]] == [(Line.ON_WIRE, 0)]
    sending = flow_of(
        account(RECEIVED=9, HANDED=9, TX_BEGUN=5, TX_WAITING=1, TAKEN=10, PENDING=0, COMPLETED=13)
    )
    assert [(way.name, way.after, way.packets) for way in sending.ways_in[1:]] == [
        (Line.TX_BEGUN, 1, 2),
        (Line.TX_BEGUN, 2, 3),
    ]


def test_what_the_worker_drops_and_makes_is_told() -> None:
    echoing = account(RECEIVED=10, HANDED=8, TAKEN=8, COMPLETED=8)
    assert ways(flow_of(echoing)) == {DROPPED: 2}
    assert ways(flow_of(echoing, generates=True)) == {DROPPED: 10, MADE: 8}
    to_python = replace(echoing, situation=Situation(delivers=True))
    assert ways(flow_of(to_python)) == {UNSENT: 2}
    long_packets = account(RECEIVED=10, HANDED=30, TAKEN=30, COMPLETED=30)
    assert ways(flow_of(long_packets, multi_buffer=True)) == {MORE_FRAMES: 20}


def test_where_the_driver_does_not_count_it_begins_at_the_program() -> None:
    flow = flow_of(account(STACK=2, NO_SOCKET=3, REDIRECTED=5, RECEIVED=5))
    assert [(point.name, point.packets) for point in flow.points] == [
        (PROGRAM, 10),
        (Line.REDIRECTED, 5),
        (Line.RECEIVED, 5),
    ]
    assert ways(flow) == {Line.STACK: 2, Line.NO_SOCKET: 3}


def test_what_is_lost_behind_the_last_point_is_drawn_behind_it() -> None:
    layout = lay_out(flow_of(account(HANDED=10, TAKEN=10, COMPLETED=10, TX_DROPPED=4)))
    (band,) = layout.bands
    assert band.kind == Kind.LOST
    assert layout.steps[-1][0] >= band.end > 2
    assert "lost: dropped by\nthe device\n4 (40.0 %)" in [text for _, _, text in layout.out_words]


def test_an_empty_ledger_has_points_and_no_stream() -> None:
    layout = lay_out(flow_of(account(SENT=0, DEVICE=0, REDIRECTED=0, RECEIVED=0)))
    assert [words.text.splitlines()[-1] for words in layout.point_words] == ["0"] * 4
    assert layout.bands == []
    assert layout.stream_at(1.0).width == 0
