"""Benchmarks: the same traffic in turn against our worker and against what others wrote."""

from xdplab.bench.report import table
from xdplab.bench.rxdrop import rxdrop

__all__ = ["rxdrop", "table"]
