"""Measuring, and running many settings in turn."""
