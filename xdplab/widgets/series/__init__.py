"""Common parts of widgets with a series of runs: a base class, and a bar."""
