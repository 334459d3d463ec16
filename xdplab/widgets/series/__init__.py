"""Common parts of widgets with a series of runs: the thread that makes them, and a bar."""
