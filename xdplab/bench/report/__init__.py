"""Benchmark results as text, figures and a page."""
