"""Benchmarks: each sends the same traffic to all compared programs or settings in turn.

A new one is one file in `measured/`, with its `BENCHMARK`, and one line of the table below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from xdplab.bench.benchmark import Benchmark
from xdplab.bench.report.page import write_page
from xdplab.bench.report.report import render

_NAMES = (
    "paths",
    "rxdrop",
    "waits",
    "batch",
    "reflect",
    "forward",
    "burst",
    "overhead",
    "latency",
    "softnic",
    "python",
    "programs",
    "tcp",
    "tune",
)

BENCHMARKS: Mapping[str, Benchmark] = {
    name: import_module(f"xdplab.bench.benchmarks.{name}").BENCHMARK for name in _NAMES
}
"""The benchmarks by name, in the order in which the command lists them."""


def table(result: Mapping[str, Any]) -> str:
    """Return the result of a benchmark as a table, to suit standard output: a terminal or a file.

    Parameters
    ----------
    result
        The result of the benchmark.
    """
    return render(BENCHMARKS[result["benchmark"]], result)


def write_report(path: str | os.PathLike[str], result: Mapping[str, Any]) -> None:
    """Write the result of a benchmark as one self-contained HTML file with figures.

    Parameters
    ----------
    path
        The file. An existing one is replaced, completely or not at all.
    result
        The result of the benchmark, to which the command line has added ``command``.

    Raises
    ------
    ConfigurationError
        If the path is not a regular file.
    KernelError
        When the file can't be written.
    """
    write_page(path, BENCHMARKS[result["benchmark"]], result)
