"""History and samples come back from CSV and Parquet as they were."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, Lab, Sampling, Telemetry, Traffic
from xdplab.telemetry.export import save_history, save_samples
from xdplab.telemetry.region import (
    COUNTERS,
    SAMPLE_DEVICE_TIME,
    SAMPLE_HASH,
    SAMPLE_PROGRAM_TIME,
    VERDICTS,
    Records,
)

ENDINGS = pytest.mark.parametrize("ending", [".csv", ".parquet"])
SLOW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)


def read(path: Path) -> dict[str, list[Any]]:
    """Return a saved table's columns: numbers as int, None where there is no value."""
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pydict()
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return {
        name: [_value(name, cell) for cell in column]
        for name, column in zip(header, columns, strict=True)
    }


def _value(name: str, cell: str) -> int | str | bytes | None:
    if name == "bytes":
        return bytes.fromhex(cell)
    if name == "verdict":
        return cell
    return int(cell) if cell else None


@pytest.fixture
def telemetry(lab: Lab) -> Telemetry:
    """Telemetry of an engine that saw some traffic, and is closed."""
    with (
        Engine(lab.port, sampling=Sampling(every=5, metadata=True)) as engine,
        Traffic(lab.peer, lab.port, rate=5000, count=500) as traffic,
    ):
        assert traffic.wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 500)
    return engine.telemetry


def assert_is_history(table: dict[str, list[Any]], records: Records, telemetry: Telemetry) -> None:
    assert table["worker"] == [0] * len(records)
    offset = int(telemetry.header["realtime_ns"]) - int(telemetry.header["monotonic_ns"])
    assert table["realtime_ns"] == [int(time) + offset for time in records["time_ns"]]
    assert table["simulated"] == [int(telemetry.header["simulated"])] * len(records)
    expected = {"worker", "realtime_ns", "simulated"}
    for name in COUNTERS.names or ():
        if not COUNTERS[name].shape:
            assert table[name] == records[name].tolist()
            expected.add(name)
    for exponent in range(16):
        assert table[f"batches_{exponent}"] == records["batches"][:, exponent].tolist()
        expected.add(f"batches_{exponent}")
    kinds = [name for name in table if name.startswith("syscalls_")]
    assert [table[name] for name in kinds] == records["syscalls"].T.tolist()
    assert kinds[:2] == ["syscalls_sendto", "syscalls_recvfrom"]
    handled = [name for name in table if name.startswith("handled_")]
    assert [table[name] for name in handled] == records["handled"].T.tolist()
    assert handled[:2] == ["handled_drop", "handled_send_back"]
    assert set(table) == expected | set(kinds) | set(handled)


@ENDINGS
def test_the_history_comes_back_as_it_was(
    telemetry: Telemetry, tmp_path: Path, ending: str
) -> None:
    records, _ = telemetry.history()
    saved = telemetry.save_history(tmp_path / f"history{ending}")
    assert (saved.rows, saved.what) == (len(records), "records")
    assert_is_history(read(saved.path), records, telemetry)
    assert read(saved.path)["rx_packets"][-1] == 500


@ENDINGS
def test_the_long_history_comes_back_as_it_was(
    telemetry: Telemetry, tmp_path: Path, ending: str
) -> None:
    records, _ = telemetry.long_history()
    saved = telemetry.save_history(tmp_path / f"long{ending}", long=True)
    assert_is_history(read(saved.path), records, telemetry)


@ENDINGS
def test_the_samples_come_back_as_they_were(
    telemetry: Telemetry, tmp_path: Path, ending: str
) -> None:
    samples, _ = telemetry.samples()
    table = read(telemetry.save_samples(tmp_path / f"samples{ending}").path)
    for name in ("time_ns", "frame", "sent_ns", "length", "captured", "queue"):
        assert table[name] == samples[name].tolist()
    assert table["program_time_ns"] == samples["device_time_ns"].tolist()
    assert table["device_time_ns"] == table["hash"] == table["hash_type"] == [None] * 100
    assert table["verdict"] == ["drop"] * 100
    assert table["bytes"] == [bytes(s["bytes"][: s["captured"]]) for s in samples]


@SLOW
@given(st.data())
@ENDINGS
def test_any_record_comes_back(
    telemetry: Telemetry, tmp_path: Path, ending: str, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, 3))
    content = data.draw(st.binary(min_size=COUNTERS.itemsize, max_size=COUNTERS.itemsize))
    records = np.frombuffer(content * count, COUNTERS).copy()
    records["time_ns"] %= 1 << 62
    saved = save_history(tmp_path / f"any{ending}", telemetry, {0: records})
    assert_is_history(read(saved.path), records, telemetry)


@SLOW
@given(st.data())
@ENDINGS
def test_a_sample_has_what_its_flags_say(
    telemetry: Telemetry, tmp_path: Path, ending: str, data: st.DataObject
) -> None:
    samples = np.zeros(data.draw(st.integers(0, 4)), telemetry.samples()[0].dtype)
    words = st.integers(0, (1 << 64) - 1)
    for sample in samples:
        content = data.draw(st.binary(max_size=256))
        sample["bytes"][: len(content)] = np.frombuffer(content, np.uint8)
        sample["captured"] = len(content)
        sample["flags"] = data.draw(st.integers(0, 7))
        sample["verdict"] = data.draw(st.integers(0, len(VERDICTS) - 1))
        sample["hash"] = data.draw(st.integers(0, (1 << 32) - 1))
        sample["device_time_ns"], sample["sent_ns"] = data.draw(words), data.draw(words)
    table = read(save_samples(tmp_path / f"any{ending}", telemetry, {0: samples}).path)

    def those(name: str, flag: int) -> list[int | None]:
        return [int(each[name]) if each["flags"] & flag else None for each in samples]

    assert table["hash"] == those("hash", SAMPLE_HASH)
    assert table["device_time_ns"] == those("device_time_ns", SAMPLE_DEVICE_TIME)
    assert table["program_time_ns"] == those("device_time_ns", SAMPLE_PROGRAM_TIME)
    assert table["sent_ns"] == [int(each["sent_ns"]) or None for each in samples]
    assert table["verdict"] == [VERDICTS[each["verdict"]] for each in samples]
    assert table["bytes"] == [bytes(each["bytes"][: each["captured"]]) for each in samples]


@ENDINGS
def test_workers_come_one_after_the_other(privileged: None, tmp_path: Path, ending: str) -> None:
    with (
        Lab(queues=2) as lab,
        Engine(lab.port, queue=[0, 1], sampling=Sampling(every=1)) as engine,
        Traffic(lab.peer, lab.port, rate=2000, count=50) as traffic,
    ):
        assert traffic.wait(30)
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] >= 50)
    history = read(engine.telemetry.save_history(tmp_path / f"all{ending}").path)
    second = read(engine.telemetry.save_history(tmp_path / f"second{ending}", worker=1).path)
    samples = read(engine.telemetry.save_samples(tmp_path / f"samples{ending}").path)
    lengths = [len(engine.telemetry.history(worker=worker)[0]) for worker in (0, 1)]
    assert history["worker"] == [0] * lengths[0] + [1] * lengths[1]
    assert second["worker"] == [1] * lengths[1]
    assert second["time_ns"] == history["time_ns"][lengths[0] :]
    assert samples["queue"] == samples["worker"]  # on this engine they are numbered alike
    assert len(samples["queue"]) >= 50


WITHOUT_PYARROW = """
import sys
from xdplab import ConfigurationError, Telemetry
sys.modules["pyarrow"] = None  # as if it were not installed
telemetry = Telemetry.open(sys.argv[1])
try:
    telemetry.save_history(sys.argv[2] + "/history.parquet")
except ConfigurationError as error:
    print(error)
print(telemetry.save_history(sys.argv[2] + "/history.csv"))
"""


def test_without_pyarrow_parquet_says_what_to_install_and_csv_works(
    lab: Lab, tmp_path: Path
) -> None:
    with Engine(lab.port) as engine:
        command = (sys.executable, "-c", WITHOUT_PYARROW, engine.telemetry_path, str(tmp_path))
        printed = subprocess.check_output(command, text=True)
    refused, saved = printed.splitlines()
    assert "`pip install pyarrow`, or save as .csv" in refused
    assert saved.endswith(f"records in {tmp_path}/history.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_another_ending_is_refused(telemetry: Telemetry, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"must end in \.csv, \.parquet"):
        telemetry.save_history(tmp_path / "history.xlsx")
    with pytest.raises(ConfigurationError, match=r"must end in \.csv, \.parquet"):
        telemetry.save_history(tmp_path / "history.pcapng")


def test_saving_imports_nothing_until_it_is_asked_for() -> None:
    named = {"pyarrow", "scapy", "xdplab.telemetry.export"}
    text = f"import sys, xdplab; print({named} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", text], text=True).strip() == "set()"
