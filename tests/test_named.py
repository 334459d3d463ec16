"""Tables of names: what is looked up by a name that is none says so, and what was meant."""

from __future__ import annotations

import pytest
from support.odd_values import WILD

import xdplab
from xdplab import ConfigurationError, MissingKeyError
from xdplab.programs.running import Ran
from xdplab.xdp.runs import ProgramRuns

TABLES = ["FIELDS", "GALLERY", "KNOBS", "METRICS", "PRESETS"]


@pytest.mark.parametrize("name", TABLES)
def test_a_wrong_name_is_told_with_the_one_that_was_meant(name: str) -> None:
    table = getattr(xdplab, name)
    right = next(iter(table))
    assert table[right] is table.get(right)
    with pytest.raises(MissingKeyError, match=rf"'{right}x'. Did you mean '{right}'\\?"):
        table[f"{right}x"]
    assert f"{right}x" not in table
    assert table.get(f"{right}x") is None
    assert right in repr(table)


@pytest.mark.parametrize("name", TABLES)
def test_whatever_it_is_asked_for_it_names_that(name: str) -> None:
    table = getattr(xdplab, name)
    for make in WILD.values():
        with pytest.raises(MissingKeyError, match=r"there is no .*(Take one of|Did you mean)"):
            table[make()]


def test_a_run_that_is_not_there_is_named() -> None:
    runs = ProgramRuns([Ran(2, bytes(60), 5)], [60])
    assert runs[-1] == runs[0] == runs[:1][0]
    for make in (value for name, value in WILD.items() if name not in ("-1", "None")):
        with pytest.raises(ConfigurationError, match="number="):
            runs[make()]
