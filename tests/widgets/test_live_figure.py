"""What a live figure sends, to views that ask, draw, fall behind and come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, Range1d
from bokeh.plotting import figure

from xdplab import ConfigurationError
from xdplab.widgets import LiveFigure
from xdplab.widgets.base.feed import Update
from xdplab.widgets.live.figure import UNDER_WAY


class Numbers:
    """A feed that counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, position: int | None) -> Update | None:  # noqa: D102
        first = position or 0
        if first == self.count:
            return None
        numbers = np.arange(first, self.count, dtype=float)
        return Update({"number": numbers}, self.count, position is None)


class Words:
    """A feed of text, which is replaced as a whole."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, position: int | None) -> Update | None:  # noqa: D102
        if position == len(self.words):
            return None
        return Update({"word": list(self.words)}, len(self.words), replace=True)


class Heard(LiveFigure):
    """A figure that keeps what it sends, as many browsers would hear it."""

    def __init__(self, feeds: dict[str, Any]) -> None:
        plot = figure(x_range=Range1d(name="window"))
        plot.line("number", "number", source=ColumnDataSource({"number": []}, name="numbers"))
        plot.text("word", "word", source=ColumnDataSource({"word": []}, name="words"))
        self.sent: list[tuple[dict[str, Any], list[Any]]] = []
        super().__init__(plot, feeds, rollover=10)

    def send(self, content: dict[str, Any], buffers: list[Any] | None = None) -> None:  # noqa: D102
        self.sent.append((content, buffers or []))

    def hear(self, view: str, kind: str, **more: int) -> None:
        """Take a message as from a browser."""
        self._inbox.append({"view": view, "kind": kind, **more})

    def draw(self, view: str) -> None:
        """Let a view have drawn all it was sent."""
        self.hear(view, "got", number=self.sent[-1][0]["number"])

    def beat(self) -> None:  # noqa: D102
        self.sent.clear()
        super().beat()

    def rows(self) -> list[Any]:
        """Return the columns of numbers of the messages of the last beat."""
        return [[list(np.frombuffer(buffer)) for buffer in buffers] for _, buffers in self.sent]


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def live(numbers: Numbers, words: Words) -> Heard:
    return Heard({"numbers": numbers, "words": words})


def test_all_sources_and_settings_share_one_message_a_tick(
    live: Heard, numbers: Numbers, words: Words
) -> None:
    live.hear("one", "rows")
    numbers.count, words.words = 2, ["a"]
    live.set("window", start=1, end=2)
    live.beat()
    ((message, buffers),) = live.sent
    assert [source["texts"] for source in message["sources"]] == [{}, {"word": ["a"]}]
    assert [source["numbers"] for source in message["sources"]] == [["number"], []]
    assert [source["replace"] for source in message["sources"]] == [True, True]
    assert [list(np.frombuffer(buffer)) for buffer in buffers] == [[0, 1]]
    assert list(message["properties"].values()) == [{"start": 1, "end": 2}]


def test_what_stands_on_a_page_without_a_kernel_is_what_a_new_view_gets(
    live: Heard, numbers: Numbers, words: Words
) -> None:
    numbers.count, words.words = 2, ["a"]
    live.set("window", start=1, end=2)
    _, present, its_buffers = live.present()
    live.hear("new", "rows")
    live.beat()
    ((message, buffers),) = live.sent
    assert {**present, "views": ["new"], "number": message["number"]} == message
    assert list(map(bytes, its_buffers)) == list(map(bytes, buffers))


def test_view_is_sent_only_what_it_lacks(live: Heard, numbers: Numbers) -> None:
    live.hear("one", "rows")
    numbers.count = 2
    live.beat()
    live.draw("one")
    numbers.count = 5
    live.beat()
    ((message, _),) = live.sent
    assert live.rows() == [[[2, 3, 4]]]
    assert [source["replace"] for source in message["sources"]] == [False]
    assert message["properties"] == {}
    live.beat()
    assert live.sent == []


def test_view_that_is_behind_gets_nothing_and_then_all_it_missed_at_once(
    live: Heard, numbers: Numbers
) -> None:
    live.hear("slow", "rows")
    numbers.count = 1
    live.beat()
    first = live.sent[-1][0]["number"]
    for numbers.count in range(2, 5):
        live.beat()
        assert live.sent == []  # it has not said yet that it drew its first rows
    live.hear("slow", "got", number=first)
    live.beat()
    assert live.rows() == [[[1, 2, 3]]]
    for numbers.count in range(5, 40):
        live.beat()
        if not live.sent:
            break
    seen = numbers.count - 1
    assert seen == 4 + UNDER_WAY - 1
    live.hear("slow", "got", number=first + UNDER_WAY)
    numbers.count = 100
    live.beat()
    assert live.rows() == [[list(range(seen, 100))]]


def test_views_that_saw_the_same_share_one_message(live: Heard, numbers: Numbers) -> None:
    for view in ("one", "two"):
        live.hear(view, "rows")
    numbers.count = 3
    live.beat()
    ((message, _),) = live.sent
    assert message["views"] == ["one", "two"]
    live.hear("new", "rows")
    live.draw("one")
    live.draw("two")
    numbers.count = 4
    live.beat()
    assert sorted(message["views"] for message, _ in live.sent) == [["new"], ["one", "two"]]
    assert sorted(live.rows()) == [[[0, 1, 2, 3]], [[3]]]


def test_settings_reach_views_to_come_and_the_last_one_counts(live: Heard) -> None:
    live.set("window", start=1)
    live.set("window", start=2)
    live.hear("one", "rows")
    live.beat()
    live.draw("one")
    live.set("window", start=3, end=9)
    live.hear("later", "rows")
    live.beat()
    told = {
        view: list(message["properties"].values())
        for message, _ in live.sent
        for view in message["views"]
    }
    assert told == {"one": [{"start": 3, "end": 9}], "later": [{"start": 3, "end": 9}]}
    live.draw("later")
    live.set("window", start=3)
    live.beat()
    assert live.sent == []  # it is what they have


def test_refresh_has_views_told_everything_again(live: Heard, numbers: Numbers) -> None:
    live.hear("one", "rows")
    numbers.count = 2
    live.beat()
    live.draw("one")
    live.refresh()
    live.beat()
    ((message, _),) = live.sent
    assert [source["replace"] for source in message["sources"]] == [True, True]
    assert live.rows() == [[[0, 1]]]


def test_view_that_left_is_sent_nothing(live: Heard, numbers: Numbers) -> None:
    live.hear("one", "rows")
    live.beat()
    live.hear("one", "bye")
    numbers.count = 5
    live.beat()
    assert live.sent == []


def test_names_that_the_figure_does_not_have_are_refused(numbers: Numbers, live: Heard) -> None:
    with pytest.raises(ConfigurationError, match="no data source named"):
        Heard({"nowhere": numbers})
    with pytest.raises(ConfigurationError, match="no model named 'nothing'"):
        live.set("nothing", start=1)
