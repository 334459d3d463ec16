"""The benchmark of the search compares what is found with the best of a grid, in turns."""

from __future__ import annotations

import statistics

import pytest

from xdplab.bench import BENCHMARKS, table


@pytest.mark.kernel  # whose NAPI it threads
def test_the_search_has_a_quarter_of_the_grids_runs(may_place: None) -> None:
    knobs = {"threaded": [False, True], "wait": ["spin", "poll"], "batch": [16, 64, 256]}
    result = BENCHMARKS["tune"].run(rounds=2, seconds=0.1, knobs=knobs, quiet=True)
    assert (result["grid_runs"], result["search_runs"]) == (12, 3)
    found, *leaders, wrong = result["entries"]
    assert (found["name"], wrong["name"]) == ("found by the search", "wrong")
    assert wrong["settings"] == {
        "threaded": True,
        "wait": "spin",
        "batch": 64,
        "ring_size": 2048,
    }
    assert len({tuple(leader["settings"].values()) for leader in leaders}) == 3
    assert set(found["settings"]) == set(knobs)
    assert all(len(entry["runs"]) == 2 for entry in result["entries"])
    assert result["best"] in [leader["name"] for leader in leaders]
    best = next(leader for leader in leaders if leader["name"] == result["best"])
    pairs = zip(found["runs"], best["runs"], strict=True)
    ratios = [one["pps"] / other["pps"] for one, other in pairs]
    assert result["ratio"] == pytest.approx(statistics.median(ratios), abs=0.001)
    shown = table(result)
    assert "with 3 runs, where the grid took 12" in shown
    assert result["sentence"] in shown
