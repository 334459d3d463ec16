"""How often a program runs is counted and timed, while someone asks for that."""

from __future__ import annotations

import pytest
from support.loads import HOLDABLE_RATE
from support.objects import COUNTER, HEAD, compiled
from support.waiting import eventually

from xdplab import ClosedError, Lab, Program, Traffic

pytestmark = pytest.mark.kernel  # which runs the programs

SIZE = 200  # bytes of a frame
PASSES = f"""{HEAD}{COUNTER}
SEC("xdp") int passes(struct xdp_md *context) {{ return XDP_PASS; }}
"""


def test_runs_are_counted_between_begin_and_end_alone(lab: Lab) -> None:
    with Program(compiled(PASSES), lab.port) as program:
        program.test_run(bytes(60), repeat=100)
        with program.statistics() as counts:
            assert (counts.runs, counts.nanoseconds) == (0, 0)
            program.test_run([bytes(60)] * 3, repeat=100)
            assert counts.runs == 300
            assert counts.nanoseconds > 0
        mean = counts.nanoseconds
        program.test_run(bytes(60), repeat=100)
        assert (counts.runs, counts.nanoseconds) == (300, mean)
        assert "300 runs" in repr(counts)
        counts.close()
        with program.statistics() as more:
            assert more.runs == 0


def test_two_count_side_by_side(lab: Lab) -> None:
    with Program(compiled(PASSES), lab.port) as program:
        with program.statistics() as first:
            with program.statistics() as second:
                program.test_run(bytes(60), repeat=10)
            program.test_run(bytes(60), repeat=10)
        assert (first.runs, second.runs) == (20, 10)


def test_packets_are_counted(lab: Lab) -> None:
    with (
        Program(compiled(PASSES), lab.port) as program,
        program.attach(),
        program.statistics() as counts,
        Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, size=SIZE, count=500) as traffic,
    ):
        traffic.wait(60)
        assert eventually(lambda: counts.runs >= 500)


def test_a_closed_program_is_not_counted(lab: Lab) -> None:
    program = Program(compiled(PASSES), lab.port)
    program.close()
    with pytest.raises(ClosedError, match="Load it again"):
        program.statistics()


def test_a_program_that_closes_while_it_is_counted(lab: Lab) -> None:
    program = Program(compiled(PASSES), lab.port)
    counts = program.statistics()
    program.test_run(bytes(60), repeat=10)
    assert counts.runs == 10
    program.close()
    assert "can't be read" in repr(counts)
    counts.close()
    assert counts.runs == 10
