"""Benchmarks: each sends the same traffic to all compared programs or settings in turn.

A new one is one file, with its function and its `BENCHMARK`, and one line of the table below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from xdplab.bench.measured import (
    batch,
    burst,
    forward,
    latency,
    overhead,
    paths,
    reflect,
    rxdrop,
    softnic,
    tune,
    waits,
)
from xdplab.bench.report.page import write_page
from xdplab.bench.report.report import render

BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        paths.BENCHMARK,
        rxdrop.BENCHMARK,
        waits.BENCHMARK,
        batch.BENCHMARK,
        reflect.BENCHMARK,
        forward.BENCHMARK,
        burst.BENCHMARK,
        overhead.BENCHMARK,
        latency.BENCHMARK,
        softnic.BENCHMARK,
        tune.BENCHMARK,
    )
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
