"""Objects as tables: what a terminal and a notebook show, of any text, and never an error."""

from __future__ import annotations

import html
import io
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdplab.core.table import MOST_ROWS, Table, Tabled
from xdplab.core.tabled_array import TabledArray
from xdplab.knobs.journal import Journal
from xdplab.telemetry.latency import LATENCY_STARTS, Latency

TEXTS = st.text(st.characters(codec=None), max_size=40)  # lone surrogates, too
TABLES = st.builds(
    Table,
    title=TEXTS,
    rows=st.lists(st.lists(TEXTS, max_size=4), max_size=8),
    headings=st.lists(TEXTS, max_size=4),
    lines=st.lists(TEXTS, max_size=2),
)


class Shown(Tabled):
    """Shows any table."""

    def __init__(self, table: Table) -> None:
        self._shown = table

    def _table(self) -> Table:
        return self._shown


class Broken(Tabled):
    """Can't be read."""

    def _table(self) -> Table:
        raise OSError("<gone>")


@given(TABLES)
def test_any_text_is_shown_in_a_terminal_and_can_be_written_to_it(table: Table) -> None:
    said = str(Shown(table))
    said.encode()
    assert all(line.isprintable() for line in said.split("\n"))


@given(TABLES)
def test_any_text_is_escaped_in_a_notebook(table: Table) -> None:
    page = Shown(table)._repr_html_()
    assert page
    page.encode()
    tags = set(re.findall(r"</?(\w+)", page))
    assert tags <= {"div", "table", "tbody", "tr", "td", "th"}
    assert all(html.escape(cell) in page for cell in table.headings if cell.isprintable())


@given(TABLES)
def test_where_standard_output_is_ascii_so_is_what_is_shown(table: Table) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
        assert repr(Shown(table)).isascii()
        assert str(Shown(table)).isascii()


def test_units_that_ascii_lacks_get_similar_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.zeros(len(LATENCY_STARTS), np.uint64)
    counts[np.searchsorted(LATENCY_STARTS, 4600)] = 3
    assert "p50 4.6" in repr(Latency(counts))
    assert "µs" in repr(Latency(counts))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert " us," in repr(Latency(counts))


def test_an_object_that_cannot_be_read_says_so_and_raises_nothing() -> None:
    assert repr(Broken()) == str(Broken()) == "<Broken that can't be read: OSError: <gone>>"
    assert "OSError: &lt;gone&gt;" in str(Broken()._repr_html_())
    half_made = Journal.__new__(Journal)
    assert "Journal that can't be read" in repr(half_made)


def test_columns_are_aligned_numbers_to_the_right() -> None:
    table = Table("", [("a", "1", "x"), ("bcd", "12,345", "yz")], ("name", "count", "what"))
    assert table.text().split("\n") == [
        "name   count  what",
        "a          1  x",
        "bcd   12,345  yz",
    ]
    assert 'text-align: right; white-space: nowrap">12,345' in table.html()
    assert Table("", [("a", "198.18.0.1"), ("b", "198.18.0.22")]).text().endswith("198.18.0.22")


def test_a_row_with_bars_is_one_line_high() -> None:
    rows = [("uring-oneshot", "5"), ("uring-multishot", "4")]
    with_bars = Table("", rows, bars={1: [1.0, 0.8]}).html()
    assert 'text-align: left; white-space: nowrap">uring-oneshot' in with_bars
    assert 'text-align: left">uring-oneshot' in Table("", rows).html()


def test_a_heading_breaks_where_the_page_is_narrow_and_a_number_does_not() -> None:
    page = Table("", [("spin", "5.0 %")], ("wait", "core: empty polls")).html()
    heading, number = re.findall(r'<t[hd] style="([^"]*)">(?:core: empty polls|5.0 %)', page)
    assert "nowrap" not in heading
    assert "nowrap" in number


def test_a_long_table_shows_its_ends_and_says_what_is_left_out() -> None:
    said = Table("", [(f"{n}",) for n in range(10_000)]).text().split("\n")
    assert len(said) == MOST_ROWS + 1
    assert (said[0], said[-1]) == ("0", "9999")
    assert f"... {10_000 - MOST_ROWS:,} rows" in said


def test_colours_are_those_of_the_page_with_a_fallback() -> None:
    page = Table("title", [("a", "b")], lines=["line"]).html()
    assert re.findall(r"color: (?!var\(--jp)[^;]+", page) == []
    assert all("," in found for found in re.findall(r"var\(([^)]*)", page))


def test_an_array_is_shown_as_a_table_and_its_fields_as_plain_arrays() -> None:
    array = np.zeros(3, [("a", "i8"), ("b", "u1", 2)]).view(TabledArray)
    assert repr(array).startswith("3 rows\na  b")
    assert repr(array["a"]) == "array([0, 0, 0])"
    same = array == array.copy()
    assert repr(same) == "array([ True,  True,  True])"
    assert same._repr_html_() is None
    assert "a" in repr(array[["a"]])
    assert repr(array[:0]).startswith("no row yet")
