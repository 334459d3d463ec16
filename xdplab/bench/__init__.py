"""Benchmarks: the same traffic in turn for all that is compared, in one run.

A new one is one file, with its function and its `BENCHMARK`, and one line of the table below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from xdplab.bench import widgets
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
        widgets.BENCHMARK,
    )
}
"""By name, in the order in which the command lists them."""


def table(result: Mapping[str, Any]) -> str:
    """Lay out the result of a benchmark for the terminal that standard output is, or for a file.

    Parameters
    ----------
    result
        What the benchmark returned.
    """
    return render(BENCHMARKS[result["benchmark"]], result)


def write_report(path: str | os.PathLike[str], result: Mapping[str, Any]) -> None:
    """Write the result of a benchmark as one HTML file with figures, which needs nothing else.

    Parameters
    ----------
    path
        Of the file; an older one of that name is replaced, whole or not at all.
    result
        What the benchmark returned; the command line has put its ``command`` in.

    Raises
    ------
    ConfigurationError
        For what is no plain file.
    KernelError
        When the file can't be written.
    """
    write_page(path, BENCHMARKS[result["benchmark"]], result)
