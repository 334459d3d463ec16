"""Bins of time: the mean, the least and the most of each figure, from written records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdplab.native import lib
from xdplab.telemetry.region import COUNTERS
from xdplab.widgets.history.bins import FIGURES, UNDER_ONE, Bins, History, of_bins

MS = 10**6
INTERVAL = 10 * MS
RING = 64


def history(packets: Sequence[int], first: int = 0, **columns: Sequence[int]) -> History:
    """Write a record each 10 ms, with so many packets received since the one before."""
    records = np.zeros(len(packets), COUNTERS)
    records["time_ns"] = first + INTERVAL * np.arange(len(packets))
    records["state"] = lib.XDPLAB_STATE_RUNNING
    records["rx_packets"] = np.cumsum(packets)
    for name, values in columns.items():
        records[name] = values
    return History(records["time_ns"].astype(np.int64), records)


def binned(
    histories: Sequence[History], step_ms: int, until_ms: int, from_ms: int = 0
) -> dict[str, npt.NDArray[np.float64]]:
    bins = Bins(np.arange(from_ms, until_ms + 1, step_ms) * MS, histories, INTERVAL)
    return bins.columns(np.full(len(bins.ends), float(RING)))


def test_a_bin_tells_mean_least_and_most_of_the_rates_in_it() -> None:
    columns = binned([history([0, 1, 1, 7, 1, 0])], 50, 50)
    mean, least, most = (columns[name] for name in of_bins("received"))
    assert mean == pytest.approx([10 / 0.05])
    assert least == pytest.approx([0])
    assert most == pytest.approx([7 / 0.01])


def test_a_peak_that_lies_across_two_bins_has_its_whole_height_in_both() -> None:
    columns = binned([history([0, 0, 0, 100, 0, 0, 0], first=-15 * MS)], 10, 40)
    assert columns["received_most"] == pytest.approx([10_000, 10_000, 0, 0])
    assert columns["received"] == pytest.approx([5_000, 5_000, 0, 0])


def test_rates_of_workers_are_added_where_they_are_not_written_at_the_same_time() -> None:
    one = history([0, 10, 0, 10, 0])
    other = history([0, 0, 10, 0, 10], first=-5 * MS)
    columns = binned([one, other], 20, 20)
    assert columns["received_most"] == pytest.approx([2_000])
    assert columns["received_least"] == pytest.approx([0])
    assert columns["received"] == pytest.approx([20 / 0.02])


def test_a_record_that_was_written_early_has_no_rate_of_its_own() -> None:
    whole = history([0, 10, 10, 10])
    whole.records["time_ns"][-1] -= 9 * MS  # the worker stopped
    early = History(whole.records["time_ns"].astype(np.int64), whole.records)
    columns = binned([early], 30, 30)
    assert columns["received_most"] == pytest.approx([1_000])
    assert columns["received"] == pytest.approx([1_000])


def test_cpu_time_is_divided_by_the_packets_of_the_same_time() -> None:
    packets, spent = [0, 10, 0, 40], np.cumsum([0, 1_000, 500, 2_000])
    columns = binned([history(packets, user_ns=spent, cpu_ns=spent)], 30, 30)
    assert columns["user"] == pytest.approx([3_500 / 50])
    assert columns["user_least"] == pytest.approx([50])
    assert columns["user_most"] == pytest.approx([100])
    assert columns["idle"] == columns["idle_most"] == [UNDER_ONE]


def test_a_level_is_told_from_the_emptiest_worker_to_the_fullest() -> None:
    full = history([0, 0, 0], tx_producer=[64, 64, 64])
    filling = history([0, 0, 0], tx_producer=[0, 0, 32])
    columns = binned([full, filling], 20, 20)
    assert columns["tx_least"] == pytest.approx([0])
    assert columns["tx_most"] == pytest.approx([100])
    assert columns["tx"] == pytest.approx([(100 + 25) / 2])
    alone = binned([filling], 20, 20)
    assert (alone["tx_least"], alone["tx"], alone["tx_most"]) == (0, 25, 50)


def test_the_highest_peak_of_the_rx_ring_is_the_top_of_its_band() -> None:
    columns = binned([history([0, 0, 0, 0, 0], rx_peak=[0, 16, 64, 0, 0])], 40, 40)
    assert columns["rx_most"] == pytest.approx([100])
    assert columns["rx_least"] == pytest.approx([0])
    assert columns["rx"] == pytest.approx([(25 + 100) / 4])


RECORDS = st.lists(st.integers(0, 500), min_size=8, max_size=40)


@given(st.lists(RECORDS, min_size=1, max_size=3), st.integers(0, 9), st.sampled_from([10, 20, 50]))
def test_the_area_is_what_was_counted_and_the_mean_is_in_the_band(
    workers: list[list[int]], shift: int, step: int
) -> None:
    histories = [history(packets, first=n * shift * MS) for n, packets in enumerate(workers)]
    end = -(-10 * (len(max(workers, key=len)) + 3) // step) * step
    columns = binned(histories, step, end)
    growth = sum(sum(packets[1:]) for packets in workers)
    assert np.nansum(columns["received"]) * step / 1000 == pytest.approx(growth)
    for name in FIGURES:
        mean, least, most = (columns[column] for column in of_bins(name))
        known = np.isfinite(mean)
        assert (least[known] <= mean[known] + 1e-9).all()
        assert (mean[known] <= most[known] + 1e-9).all()
        assert np.isfinite(least).all()
        assert np.isfinite(most).all()


@given(RECORDS, st.integers(1, 3))
def test_bins_are_the_same_whenever_they_are_made(packets: list[int], cut: int) -> None:
    whole = binned([history(packets)], 20, 80)
    parts = [binned([history(packets)], 20, 20 * cut), binned([history(packets)], 20, 80, 20 * cut)]
    for name, column in whole.items():
        np.testing.assert_allclose(np.concatenate([part[name] for part in parts]), column)
