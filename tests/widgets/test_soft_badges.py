"""Whatever shows a figure of a simulated NIC says that it is simulated."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pytest
from PIL import Image
from support.waiting import eventually

from xdplab import Engine, Lab, Sampling, Traffic, tune
from xdplab.bench import BENCHMARKS, table, write_report
from xdplab.cli.cli import main
from xdplab.experiments.sweep import Grid
from xdplab.widgets import (
    Compare,
    Controls,
    Dashboard,
    Frames,
    Front,
    LatencyView,
    LedgerView,
    Rings,
    Sweep,
    Timeline,
)
from xdplab.widgets.pictures.picture import pictured

Make = Callable[[Engine, Traffic], Any]

WIDGETS: dict[str, Make] = {
    "Dashboard": Dashboard,
    "Dashboard of two": lambda engine, traffic: Dashboard([engine, engine]),
    "Controls": Controls,
    "Rings": lambda engine, traffic: Rings(engine),
    "LatencyView": lambda engine, traffic: LatencyView(engine),
    "Frames": lambda engine, traffic: Frames(engine),
    "LedgerView": LedgerView,
    "Timeline": Timeline,
    "Sweep": lambda engine, traffic: Sweep(engine, traffic, batch=[1, 64]),
    "Compare": lambda engine, traffic: Compare(paths=["xsk"]),
    "Front": lambda engine, traffic: Front(
        tune(engine, traffic, budget=2, seconds=0.05, knobs={"batch": [1, 64]}, progress=False)
    ),
}


@pytest.fixture(scope="module")
def seen() -> Iterator[tuple[Engine, Traffic]]:
    """Have an engine that has received something, with samples of it."""
    with (
        Lab(backend="soft") as lab,
        Engine(lab.port, sampling=Sampling(every=1), inspect=True) as engine,
    ):
        traffic = Traffic(lab.peer, lab.port, rate=10_000, count=100)
        traffic.start().wait(30)
        assert eventually(lambda: engine.telemetry.latency().total == 100)
        yield engine, traffic
        traffic.close()


def words_in(widget: ipywidgets.Widget) -> str:
    """Collect all that a widget says in HTML."""
    said = widget.value if isinstance(widget, ipywidgets.HTML) else ""
    return said + "".join(map(words_in, getattr(widget, "children", ())))


@pytest.mark.parametrize("name", WIDGETS)
def test_each_widget_bears_a_badge_and_so_do_its_words_and_its_picture(
    seen: tuple[Engine, Traffic], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("XDPLAB_BACKEND", "soft")  # for what makes a lab of its own
    widget = WIDGETS[name](*seen)
    try:
        assert ">simulated</span>" in words_in(widget)
        assert "[simulated]" in repr(widget)
        for shown in pictured(widget):
            draw = shown.static_picture()
            assert draw is not None
            assert is_marked(draw())
            if "FrameTable" not in repr(shown):
                assert "[simulated]" in repr(shown)
    finally:
        widget.close()


def is_marked(bundle: dict[str, str]) -> bool:
    """Tell whether a picture says it: in words, or in the corner where nothing else stands."""
    if "text/html" in bundle:
        return "simulated" in bundle["text/html"]
    png = base64.b64decode(bundle["image/png"])
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
    corner = pixels[:24, -90:]
    return bool((corner < 160).sum() > 100)


def test_what_is_saved_says_it(seen: tuple[Engine, Traffic], tmp_path: Path) -> None:
    telemetry = seen[0].telemetry
    for save in (telemetry.save_history, telemetry.save_samples):
        with save(tmp_path / "saved.csv").path.open(newline="") as file:
            assert {row["simulated"] for row in csv.DictReader(file)} == {"1"}
        from pyarrow import parquet

        rows = parquet.read_table(save(tmp_path / "saved.parquet").path)
        assert set(rows["simulated"].to_pylist()) == {1}
    assert b"simulated" in telemetry.save_samples(tmp_path / "saved.pcapng").path.read_bytes()


def test_a_sweep_in_words_says_it(seen: tuple[Engine, Traffic]) -> None:
    assert "[simulated]" in repr(Grid(*seen, batch=[1]))


def test_a_benchmark_says_it_in_json_in_its_table_and_in_its_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDPLAB_BACKEND", "soft")
    result = BENCHMARKS["batch"].run(rounds=1, seconds=0.05, batches=[64], quiet=True)
    assert result["simulated"] is True
    assert all(run["balanced"] for entry in result["entries"] for run in entry["runs"])
    assert "batch [simulated]: " in table(result)
    write_report(tmp_path / "report.html", result)
    assert "simulated</span>" in (tmp_path / "report.html").read_text()


def test_the_command_says_it_in_json_and_in_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["run", "--backend", "soft", "--seconds", "0.1", "--traffic", "1000"]
    assert main([*options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["simulated"] is True
    assert main(options) == 0
    shown = capsys.readouterr().out
    assert "Where every packet went [simulated]" in shown
    assert "batch=64 [simulated]" in shown


def test_the_command_takes_a_backend_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--backend", "sotf"]) == 2
    assert "--backend sotf is none of: " in capsys.readouterr().err
    assert main(["run", "--backend", "soft", "--interface", "lo"]) == 2
    assert "Leave one out" in capsys.readouterr().err
    options = ["--rounds", "1", "--seconds", "0.05", "--batches", "64", "--json"]
    assert main(["bench", "batch", "--backend", "soft", *options]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["simulated"] is True
    assert "--backend soft" in result["command"]
