"""A benchmark's report: one file, whole or not at all, that says what was run and on what."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from xdplab.bench import BENCHMARKS, write_report

pytestmark = pytest.mark.usefixtures("privileged")


@pytest.fixture(scope="module")
def result(privileged: None) -> dict[str, Any]:
    return BENCHMARKS["batch"].run(rounds=1, seconds=0.1, batches=[1, 64], quiet=True)


def xdplab(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("xdplab")
    return subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def written(path: Path, result: dict[str, Any]) -> str:
    write_report(path, result)
    return path.read_text()


def test_bench_without_a_name_lists_the_benchmarks() -> None:
    done = xdplab("bench")
    assert (done.returncode, done.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines == {name: benchmark.help for name, benchmark in BENCHMARKS.items()}


def test_the_command_writes_the_report_beside_the_table(tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    options = ("--rounds", "1", "--seconds", "0.1", "--batches", "16", "--report", place)
    done = xdplab("bench", "batch", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "batch: million packets a second" in done.stdout.replace(" [simulated]", "")
    assert f"report: {place}" in done.stdout
    page = place.read_text()
    command = "xdplab bench batch --rounds 1 --seconds 0.1 --batches 16 --wait poll"
    assert f"<code>{command}</code>" in page


@pytest.mark.kernel  # which NAPI is
def test_with_json_the_report_leaves_standard_output_to_the_object(tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    options = ("--rounds", "1", "--seconds", "0.1", "--batches", "16", "--json", "--report", place)
    done = xdplab("bench", "batch", *options)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["machine"]["napi"][0]["threaded"] is False
    assert told["machine"]["xdplab"] == version("xdplab")
    assert place.exists()


@pytest.mark.parametrize("place", ["", "no/such/folder/report.html"])
def test_a_place_that_can_not_be_written_to_is_refused_before_anything_runs(
    tmp_path: Path, place: str
) -> None:
    # It would run for a day.
    done = xdplab("bench", "batch", "--seconds", "86400", "--report", tmp_path / place)
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.kernel  # of which it tells, and of veth
def test_the_report_describes_the_run_and_the_machine(
    tmp_path: Path, result: dict[str, Any]
) -> None:
    page = written(tmp_path / "report.html", result)
    for told in (
        *(f"Linux {platform.release()}", result["machine"]["cpu"], "veth", "none shown"),
        *("napi_defer_hard_irqs 0", "gro_flush_timeout (ns) 0", "threaded off"),
        *(platform.python_version(), version("xdplab"), result["date"]),
        *("wait=poll", "medians of 1 round of 0.1 s"),
    ):
        if told != "none shown" or result["machine"]["governor"] is None:
            assert told in page
    assert "simulated</span>" not in page
    simulated = written(tmp_path / "simulated.html", result | {"simulated": True})
    assert "simulated</span>" in simulated


def test_the_report_takes_nothing_from_elsewhere(tmp_path: Path, result: dict[str, Any]) -> None:
    page = written(tmp_path / "report.html", result)
    own = re.sub("<script.*?</script>", "", page, flags=re.DOTALL)
    assert not [word for word in ("src=", "@import", "url(", "http") if word in own]
    assert own.count("href=") == own.count('href="data:,"') == 1
    assert "<script src" not in page


def test_what_a_peer_said_is_shown_and_not_run(tmp_path: Path, result: dict[str, Any]) -> None:
    said = "</script><script>alert(1)</script>"
    odd = {**result["entries"][0], "name": said, "status": "failed", "reason": said, "runs": []}
    quiet = {**odd, "name": "quiet", "status": "missing", "reason": "not installed"}
    page = written(tmp_path / "report.html", result | {"entries": [odd, quiet]})
    assert said not in page
    assert "&lt;/script&gt;" in page
    assert "quiet: not installed" in page
    measured = {**result["entries"][0], "name": said}
    assert said not in written(tmp_path / "odd.html", result | {"entries": [measured]})


def test_what_costs_nothing_is_not_drawn(tmp_path: Path, result: dict[str, Any]) -> None:
    nothing = dict.fromkeys(("median", "least", "most"), 0.0)
    free = {
        name: nothing if name.endswith("_ns_per_packet") else value
        for name, value in result["entries"][0].items()
    }
    page = written(tmp_path / "report.html", result | {"entries": [free]})
    assert "ns a packet" not in page
    assert "ns a packet" in written(tmp_path / "report.html", result)


def test_an_older_report_is_replaced_whole(tmp_path: Path, result: dict[str, Any]) -> None:
    place = tmp_path / "report.html"
    place.write_text("older")
    with pytest.raises(KeyError):
        write_report(place, {"benchmark": "batch"})
    assert place.read_text() == "older"
    written(place, result)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert place.read_text().rstrip().endswith("</html>")
