"""Tests that are run on the kernel alone, as their outcome is the same whoever makes the lab.

On the soft NIC and through a broker every other test with a lab is run once more: a new one, too,
unless it is added here.
"""

from __future__ import annotations

import pytest

# A file or a folder, or a test of one.
_SAME = (
    # A widget reads telemetry and sets knobs, which have tests of their own. The lessons, which are
    # run, show most of them.
    "widgets/",
    # Name their backend themselves; constructors are tried through a broker, too.
    "test_arguments.py::test_constructors_of_widgets",
    "test_arguments.py::test_methods",
    "test_arguments.py::test_what_was_closed",
    # What is done with figures and frames after they were captured.
    "test_bench",
    "test_export.py",
    "test_pcapng.py",
    "test_save_errors.py",
    "test_sweep.py",
    "test_tune.py",
    # What a terminal or a file is told, and how words on a command line are read.
    "test_cli.py",
    "test_cli_endings.py::test_an_encoding",
    "test_cli_endings.py::test_every_command",
    "test_cli_endings.py::test_what_standard_output",
    "test_cli_endings.py::test_with_nowhere",
    # What was set, and is put back.
    "test_settings.py",
    "test_undo.py",
)


def is_scenery(item: pytest.Item) -> bool:
    """Tell whether a test's lab only lends it packets."""
    return item.nodeid.removeprefix("tests/").startswith(_SAME)
