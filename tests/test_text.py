"""Numbers as text: what is written is read back, and what people type is understood."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdplab import ConfigurationError
from xdplab.core.text import duration, number_of, rate, seconds, setting, short, si
from xdplab.net.stream import FASTEST, SLOWEST, checked_rate

counts = st.integers(0, 10**12)
amounts = st.floats(0.001, 1e12)


@given(amounts)
def test_what_is_written_is_read_back_as_far_as_it_was_written(value: float) -> None:
    assert number_of(si(value, 17)) == pytest.approx(value, rel=1e-12)
    assert number_of(short(value)) == pytest.approx(value, rel=5e-3)
    assert number_of(rate(value)) == pytest.approx(value, rel=5e-6)
    assert number_of(si(-value, 17)) == pytest.approx(-value, rel=1e-12)


@given(counts)
def test_a_whole_number_is_read_back_exactly(value: int) -> None:
    for text in (str(value), f"{value:,}", f"{value:_}", setting(value), f"  {value} "):
        assert number_of(text) == value
        assert type(number_of(text)) is int


@given(st.floats(1e-9, 1e6), st.sampled_from([("s", 1), ("µs", 1e6), ("ns", 1e9)]))
def test_a_time_is_read_back_in_any_unit(value: float, unit: tuple[str, float]) -> None:
    name, scale = unit
    assert number_of(seconds(value), name) == pytest.approx(scale * value, rel=5e-6)
    assert number_of(duration(value * 1e9), name) == pytest.approx(scale * value, rel=0.5)


@given(st.text() | st.text("0123456789.,_ekMGm µunsp-+/"), st.sampled_from(["", "s", "ns", "µs"]))
def test_any_text_is_a_number_or_refused(text: str, unit: str) -> None:
    try:
        value = number_of(text, unit)
    except ConfigurationError:
        return
    assert type(value) in (int, float)
    assert not math.isnan(value)


@given(st.text() | amounts.map(rate))
def test_a_rate_is_checked_likewise(text: str) -> None:
    try:
        found = checked_rate(text)
    except ConfigurationError:
        return
    assert found == "max" or SLOWEST <= found <= FASTEST


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("200k", 200_000),
        ("200K", 200_000),
        ("1.5M", 1_500_000),
        ("1.5 m", 1_500_000),
        ("1.1k", 1100),
        ("2G", 2 * 10**9),
        ("20 kpps", 20_000),
        ("1e3", 1000),
        (".5", 0.5),
        ("+7", 7),
        ("512 bytes", 512),
        ("1,024 frames", 1024),
        ("20k packets/s", 20_000),
    ],
)
def test_what_people_type_is_understood(text: str, value: float) -> None:
    assert number_of(text) == value


@pytest.mark.parametrize(
    ("text", "ns"),
    [("20", 20), ("20 ns", 20), ("20us", 20_000), ("20 μs", 20_000), ("1.5 MS", 1_500_000)],
)
def test_a_time_takes_any_unit_and_its_own_without_one(text: str, ns: float) -> None:
    assert number_of(text, "ns") == ns


@pytest.mark.parametrize(
    "text", ["", "k", "1,5", "1,00", "10,24", "nan", "inf", "1__0", "5 m s", "0x10"]
)
def test_what_could_be_misread_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no number, such as 200, 200k or"):
        number_of(text)
