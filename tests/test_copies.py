"""What stands for something of the kernel's is not copied; results are."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from xdplab import GALLERY, Engine, Lab, Ledger, Program, Traffic
from xdplab.experiments.measure import measure
from xdplab.experiments.sweep import Grid

pytestmark = pytest.mark.usefixtures("privileged")
WAYS = pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])


@WAYS
def test_what_there_is_once_refuses_to_be_copied_and_goes_on(
    lab: Lab, way: Callable[[object], object]
) -> None:
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=1000)
        live = (lab, engine, traffic, engine.telemetry, engine.journal, engine.napi)
        for thing in (*live, lab.port.interface.namespace):
            with pytest.raises(TypeError, match=rf"an? {type(thing).__name__} can't be copied"):
                way(thing)
        assert (lab.closed, engine.running, traffic.closed) == (False, True, False)
        traffic.close()


@pytest.mark.parametrize("way", [copy.deepcopy, pickle.dumps])
def test_what_holds_such_a_thing_refuses_likewise(
    lab: Lab, way: Callable[[object], object]
) -> None:
    with Engine(lab.port) as engine:
        for thing in (lab.port, lab.port.interface, Ledger(engine), Grid(engine, batch=[1])):
            with pytest.raises(TypeError, match="can't be copied"):
                way(thing)
        assert not lab.closed


@pytest.mark.kernel
@WAYS
def test_the_variables_of_a_program_are_not_copied(
    lab: Lab, way: Callable[[object], object]
) -> None:
    with Program(GALLERY["reflect"], lab.port) as program:
        for thing in (program, program.variables, *program.maps.values()):
            with pytest.raises(TypeError, match="can't be copied"):
                way(thing)
        assert program.variables["port"] >= 0


def test_figures_are_copied(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=1000)
        measured, account = measure(engine, traffic, 0.1)
        traffic.close()
        for thing in (measured, account, engine.telemetry.latency().counts.tolist()):
            assert pickle.loads(pickle.dumps(thing)) == copy.deepcopy(thing) == thing
