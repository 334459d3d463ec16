"""The benchmark of the soft NIC: all is accounted for, and said to be simulated."""

from __future__ import annotations

import signal

import pytest

from xdplab import ConfigurationError
from xdplab.bench import BENCHMARKS, table


def test_softnic_measures_both_actions_and_says_that_it_is_simulated() -> None:
    result = BENCHMARKS["softnic"].run(rounds=1, seconds=0.2, wait="poll", quiet=True)
    assert result["simulated"] is True
    assert [entry["name"] for entry in result["entries"]] == ["drop", "reflect"]
    for entry in result["entries"]:
        (run,) = entry["runs"]
        assert entry["status"] == "measured", entry["reason"]
        assert entry["settings"]["action"] == entry["name"]
        assert run["balanced"]
        assert 0 < run["pps"] * run["seconds"] <= run["sent"] + 1
        assert entry["user_ns_per_packet"]["median"] > 0
    assert "softnic [simulated]: " in table(result)


def test_half_a_run_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "xdplab.experiments.measure._watch", lambda *_: signal.raise_signal(signal.SIGINT)
    )
    with pytest.raises(KeyboardInterrupt):
        BENCHMARKS["softnic"].run(rounds=1, seconds=0.1, quiet=True)


def test_softnic_refuses_a_strategy_that_there_is_not() -> None:
    with pytest.raises(ConfigurationError, match="wait"):
        BENCHMARKS["softnic"].run(wait="sleep")
