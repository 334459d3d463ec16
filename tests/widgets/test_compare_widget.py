"""The comparison without a browser: each path has its turn, and what is drawn was measured."""

from __future__ import annotations

import html
import math

import ipywidgets
import numpy as np
import pytest
from support.seen import parts, press, rows, text_of
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, Lab
from xdplab.core.errors import XdplabError
from xdplab.experiments.runs import Runs
from xdplab.widgets import Compare
from xdplab.widgets.compare.candidates import (
    PATHS,
    Candidate,
    Path,
    candidates,
    usual_paths,
)
from xdplab.widgets.compare.feeds import CompareFeeds, reasons_html
from xdplab.widgets.compare.figure import BAR_ROOM, PANELS, legend_html, look
from xdplab.widgets.compare.path_runs import Course

BRIEF = 0.1
ENOUGH = 1.0  # seconds, in which a generator that has lost its core gets it back
TWO: list[Path] = ["xsk poll", ("xsk", {"wait": "spin", "batch": 16})]


def test_a_path_is_named_by_what_tells_it_from_others() -> None:
    assert candidates(["xsk", "xsk spin", ("xsk", {"batch": 16})], {"inspect": True}) == [
        Candidate("xsk", {"inspect": True}),
        Candidate("xsk spin", {"inspect": True, "wait": "spin"}),
        Candidate("xsk batch 16", {"inspect": True, "batch": 16}),
    ]
    found = candidates(usual_paths(), {})
    assert {candidate.options.get("path", "xsk") for candidate in found} == set(PATHS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"paths": "xsk"}, "must be a list"),
        ({"paths": []}, "at least one path"),
        ({"paths": ["xsk", "xsk"]}, "each once"),
        ({"paths": ["carrier-pigeon"]}, "path='carrier-pigeon' is none of"),
        ({"paths": ["xsk sleep"]}, "wait='sleep' is none of"),
        ({"paths": ["xsk"], "batches": 1}, "Did you mean 'batch'"),
        ({"paths": [("xsk", {"speed": 1})]}, "option='speed' is none of"),
        ({"paths": ["xsk"], "rate": 0}, "rate=0"),
        ({"paths": ["xsk"], "size": 10}, "size=10"),
        ({"paths": ["xsk"], "seconds": -1}, "seconds=-1"),
        ({"paths": ["xsk"], "lab": "eth0"}, "must be a Lab"),
    ],
)
def test_what_can_not_be_compared_is_refused_at_once(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Compare(**options)  # type: ignore[arg-type]


def test_each_path_has_its_turn_and_leaves_the_port_to_the_next(lab: Lab) -> None:
    compare = Compare(lab, TWO, rate=20_000, seconds=ENOUGH, rounds=2, inspect=True)
    compare.run()
    assert compare.wait(60)
    found = compare.results
    assert list(found["path"]) == ["xsk poll", "xsk wait spin, batch 16"]
    assert list(found["status"]) == ["measured", "measured"]
    assert list(found["runs"]) == [2, 2]
    assert (found["pps"] > 0).all()
    assert (found["p50_ns"] > 0).all()
    assert compare.best("pps") in list(found["path"])
    assert "4 of 4 runs" in repr(compare)
    # The port is free again, and the lab stays.
    Engine(lab.port).close()


def said_by(compare: Compare) -> str:
    compare.refresh()
    return text_of(compare)


def test_bars_and_lines_are_what_was_measured(lab: Lab) -> None:
    compare = Compare(lab, TWO, rate=20_000, seconds=ENOUGH, rounds=1)
    compare.run()
    assert compare.wait(60)
    compare.refresh()
    bars, words = rows(compare, "bars 0"), rows(compare, "words 0")
    rates = compare.results["pps"]
    lengths = np.array(bars["right"][:2], float) - np.array(bars["left"][:2], float)
    assert max(lengths) == pytest.approx(BAR_ROOM)
    assert lengths[0] / lengths[1] == pytest.approx(rates[0] / rates[1])
    assert words["text"][0] != "-"
    assert len(rows(compare, "line 0")["pps"]) > 0
    assert "refused" not in text_of(compare)


def test_it_makes_a_lab_where_none_was_given(privileged: None) -> None:
    compare = Compare(paths=["xsk"], rate=20_000, seconds=ENOUGH, rounds=1)
    compare.run()
    assert compare.wait(60)
    assert compare.results["pps"][0] > 0


def test_at_once_each_path_has_a_lab_of_its_own(privileged: None) -> None:
    compare = Compare(paths=["xsk poll", "xsk epoll"], rate=5_000, seconds=3600, at_once=True)
    compare.run()
    assert eventually(lambda: "xsk poll and xsk epoll at work" in said_by(compare))
    compare.stop()
    assert compare.wait(60)
    compare.runs.seconds = BRIEF
    compare.run()
    assert compare.wait(60)
    assert list(compare.results["runs"]) == [3, 3]
    with pytest.raises(ConfigurationError, match="leave out the lab"):
        Compare(Lab(), ["xsk"], at_once=True)


def test_stopped_it_gives_the_port_back_and_goes_on_later(lab: Lab) -> None:
    compare = Compare(lab, ["xsk poll"], rate=20_000, seconds=3600, rounds=2)
    compare.run()
    assert eventually(
        lambda: "xsk poll at work" in said_by(compare) and len(rows(compare, "line 0")["pps"])
    )
    assert 0.3 in rows(compare, "bars 0")["alpha"]
    compare.stop()
    assert compare.wait(30)
    assert compare.runs.done == 0
    Engine(lab.port).close()
    compare.runs.seconds = BRIEF
    compare.refresh()
    press(compare, "Run")
    assert compare.wait(30)
    assert compare.runs.done == 2
    compare.refresh()
    press(compare, "Start over")
    assert compare.wait(30)
    assert compare.runs.done == 2


def test_a_path_that_is_refused_says_why_and_the_others_go_on(lab: Lab) -> None:
    compare = Compare(
        lab, [("xsk", {"ring_size": 1000}), "xsk"], rate=20_000, seconds=BRIEF, rounds=1
    )
    compare.run()
    assert compare.wait(30)
    assert list(compare.results["status"]) == ["refused", "measured"]
    compare.refresh()
    assert "power of two" in text_of(compare)
    assert rows(compare, "words 0")["text"][0] == "refused"


def test_a_comparison_of_which_all_was_refused_says_so_of_each_path_without_green(
    lab: Lab,
) -> None:
    compare = Compare(lab, TWO, seconds=BRIEF, rounds=1)
    with Engine(lab.port):
        compare.run()
        assert compare.wait(30)
    assert all("EBUSY" in reason for reason in compare.results["reason"])
    said = said_by(compare)
    assert "2 of 2 runs · 2 refused" in said
    assert said.count("refused: ") == 2
    assert [text for text in rows(compare, "words 0")["text"] if text] == ["refused"] * 2
    (bar,) = (part for part in parts(compare) if isinstance(part, ipywidgets.IntProgress))
    assert bar.bar_style == "danger"


def test_a_closed_lab_ends_it_with_the_reason(lab: Lab) -> None:
    compare = Compare(lab, ["xsk"], seconds=BRIEF)
    lab.close()
    compare.run()
    with pytest.raises(XdplabError, match="lab was closed"):
        compare.wait(30)
    compare.refresh()
    assert "lab was closed" in text_of(compare)
    assert compare.runs.done == 0


def test_a_first_run_is_drawn_while_it_goes_on() -> None:
    runs, rows = Runs(1, 1, {"path": ["a", "b"]}), CompareFeeds(["a", "b"])
    course = Course(seconds=[0.1, 0.2], pps=[50.0, 150.0], figures={"pps": 100.0})
    ranges = rows.draw(runs, {"a": course})
    assert rows.feeds["words 0"].columns["text"][:2] == ["100", "-"]
    assert list(rows.feeds["line 0"].columns["pps"]) == [50, 50, 150]
    assert ranges["rate"]["end"] == pytest.approx(157.5)
    assert not len(rows.feeds["spread 0"].columns["left"])


def test_a_line_goes_from_the_least_to_the_most_of_the_rounds() -> None:
    runs, rows = Runs(1, 3, {"path": ["a"]}), CompareFeeds(["a"])
    for run, pps in zip(runs.of(0), (100.0, 400.0, 200.0), strict=True):
        run.figures, run.status = {"pps": pps}, "measured"
    rows.draw(runs, {})
    bars, spread = rows.feeds["bars 0"].columns, rows.feeds["spread 0"].columns
    assert bars["right"][0] == pytest.approx(BAR_ROOM / 2)
    assert (spread["left"][0], spread["right"][0]) == pytest.approx((BAR_ROOM / 4, BAR_ROOM))
    assert math.isnan(runs.median(0, "p50_ns"))
    assert reasons_html(runs) == ""


def test_each_of_twelve_paths_has_a_colour_of_its_own_and_more_have_other_dashes() -> None:
    assert len({look(number)[0] for number in range(12)}) == 12
    assert len({look(number) for number in range(24)}) == 24


def test_the_legend_has_each_path_with_its_colour_and_dash_and_headings_have_units() -> None:
    names = [f"path <{number}>" for number in range(14)]
    legend = legend_html(names)
    for number, name in enumerate(names):
        key = legend.split("</span>")[number]
        assert name in html.unescape(key)
        assert f'stroke="{look(number)[0]}"' in key
    assert ['"none"' in key for key in legend.split("</span>")[:-2]] == [True] * 12 + [False]
    heads = [heading for panel in PANELS for heading in panel.values()]
    assert heads[:3] == ["received\npackets/s", "lost\n% of sent", "CPU time\nper packet"]
