"""The benchmark of packets in Python receives in each way, and compares with the engine."""

from __future__ import annotations

import re

import pytest

from xdplab import ConfigurationError
from xdplab.bench import BENCHMARKS, table
from xdplab.bench.python_program import WAYS

pytestmark = pytest.mark.usefixtures("privileged", "brief")


def test_each_way_receives_what_was_sent_and_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = BENCHMARKS["python"].run(rounds=1, seconds=0.3, wait="poll", quiet=True)
    entries = {entry["name"]: entry for entry in result["entries"]}
    drops = ["engine", "drop in C", "drop in numba"]
    writers = ["capture --write", "tcpdump -w"]
    reflects = ["reflect", "reflect in C", "reflect in numba"]
    assert list(entries) == [*drops, *WAYS, "Python socket", *reflects, *writers]
    for name, entry in entries.items():
        assert entry["status"] == "measured", entry["reason"]
        (run,) = entry["runs"]
        assert 0 < run["rx_packets"] <= run["sent"]
        assert entry["ratio"] == pytest.approx(
            run["rx_pps"] / entries["engine"]["runs"][0]["rx_pps"], abs=0.001
        )
        if name in WAYS:
            assert run["balanced"]
            assert entry["settings"]["batch"] == 256
    plain, loop = (entries[name]["runs"][0]["rx_pps"] for name in ("for", "async for"))
    assert result["asyncio_to_plain"] == pytest.approx(loop / plain, abs=0.001)
    same, own = (entries[name]["runs"][0]["rx_pps"] for name in ("reflect", "reflect in C"))
    assert result["handlers_to_actions"]["reflect in C"] == pytest.approx(own / same, abs=0.001)
    ours, theirs = (entries[name]["runs"][0]["rx_pps"] for name in writers)
    assert result["recorded_to_tcpdump"] == pytest.approx(ours / theirs, abs=0.001)
    assert "to engine" in table(result)
    assert re.search(r"reflect in numba \d", table(result))


def test_a_strategy_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="wait='sleep'"):
        BENCHMARKS["python"].run(wait="sleep")
