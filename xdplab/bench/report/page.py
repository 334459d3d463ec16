"""A benchmark's report: one self-contained HTML file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdplab.bench.report.report import notes, versions
from xdplab.core.errors import ConfigurationError
from xdplab.core.files import place_of, whole_file

if TYPE_CHECKING:
    from xdplab.bench.benchmark import Benchmark

_NAPI_WORDS = {
    "threaded": "threaded",
    "defer_hard_irqs": "napi_defer_hard_irqs",
    "gro_flush_timeout": "gro_flush_timeout (ns)",
    "irq_suspend_timeout": "irq_suspend_timeout (ns)",
}


def check_place(path: str | os.PathLike[str]) -> Path:
    """Check before the benchmark whether a report can be written; return its path.

    Raises
    ------
    ConfigurationError
        When it can't: the folder or Bokeh is missing, or the path is not a regular file.
    """
    place = place_of(path)
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"{place.parent} is no folder that files can be written to. Choose another."
        )
    if find_spec("bokeh") is None:
        raise ConfigurationError("a report takes Bokeh: pip install 'xdplab[notebook]'.")
    return place


def write_page(
    path: str | os.PathLike[str], benchmark: Benchmark, result: Mapping[str, Any]
) -> None:
    """Write a report, completely or not at all.

    The page loads nothing else, and works without a network.

    Parameters
    ----------
    path
        The HTML file; an existing one is replaced.
    benchmark
        The benchmark.
    result
        Its result; the optional ``command`` is the command line that repeats it.

    Raises
    ------
    ConfigurationError
        If the path is not a regular file.
    KernelError
        When the file can't be written.
    """
    page = _page(benchmark, result).encode()
    with whole_file(path) as file:
        file.write(page)


def _page(benchmark: Benchmark, result: Mapping[str, Any]) -> str:
    from bokeh.embed import json_item  # noqa: PLC0415 - slow to import
    from bokeh.layouts import column  # noqa: PLC0415
    from bokeh.resources import Resources  # noqa: PLC0415
    from jinja2 import Environment  # noqa: PLC0415

    from xdplab.bench.report.figures import figures  # noqa: PLC0415

    plots = column(*figures(benchmark, result), sizing_mode="stretch_width")
    template = (files("xdplab.bench.report") / "page.html").read_text()
    return (
        Environment(autoescape=True, trim_blocks=True)
        .from_string(template)
        .render(
            title=f"xdplab bench {benchmark.name}",
            simulated=result["simulated"],
            date=result["date"],
            command=result.get("command"),
            headings=[" ".join(c.heading.split()) for c in benchmark.columns],
            groups=list(_groups(benchmark, result)),
            notes=notes(benchmark, result),
            machine=_machine(result),
            bokeh_js=Resources(mode="inline", components=["bokeh"]).js_raw,
            # "</" would end the script element around it.
            item=json.dumps(json_item(plots)).replace("</", "<\\/"),
        )
    )


def _groups(benchmark: Benchmark, result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for group, entries in groupby(result["entries"], benchmark.group):
        rows = []
        for entry in entries:
            cells = [column.show(entry) for column in benchmark.columns]
            if entry["status"] != "measured":
                cells[0] = entry["status"]
            best = entry["name"] == result.get("best")
            known = {"name": entry["name"], "ineffective": entry["ineffective"]}
            rows.append({"cells": cells, "best": best, **known})
        yield {"caption": f"{benchmark.title}{group and ', '}{group}", "rows": rows}


def _machine(result: Mapping[str, Any]) -> dict[str, str]:
    machine, traffic = result["machine"], result["traffic"]
    napi = [
        ", ".join(f"{word} {_told(settings[name])}" for name, word in _NAPI_WORDS.items())
        for settings in machine["napi"]
    ]
    told = {
        "kernel": f"Linux {machine['kernel']}",
        "CPU": f"{machine['cpu']}, {machine['cores']} cores",
        "governor": machine["governor"] or "none shown",
        "driver": machine["driver"],
        "NAPI": "; ".join(napi) or "the kernel tells of none",
        "xdplab": machine["xdplab"],
        "Python": machine["python"],
        "traffic": ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in traffic.items()
        ),
    }
    if any("program" in entry for entry in result["entries"]):
        told["programs"] = versions(result)
    return told


def _told(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " and ".join(map(_told, value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)
