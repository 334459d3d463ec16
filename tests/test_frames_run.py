"""A program run on frames that never were on a wire."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from support.loads import HOLDABLE_RATE
from support.objects import COUNTER, HEAD, compiled, read_counter

from xdplab import (
    Capture,
    ClosedError,
    ConfigurationError,
    Lab,
    Program,
    Traffic,
)
from xdplab.xdp.runs import ProgramRun

pytestmark = pytest.mark.kernel  # which runs the programs

# The verdict is the frame's first byte; the program counts its runs.
TOLD = f"""{HEAD}{COUNTER}
SEC("xdp.frags") int told(struct xdp_md *context)
{{
	__u32 key = 1;
	__u64 *counted = bpf_map_lookup_elem(&counts, &key);
	__u8 first = 0;

	if (counted)
		*counted += 1;
	bpf_xdp_load_bytes(context, 0, &first, 1);
	return first;
}}
"""
SHORTENS = f"""{HEAD}
SEC("xdp.frags") int shortens(struct xdp_md *context)
{{ return bpf_xdp_adjust_tail(context, -4) ? XDP_ABORTED : XDP_TX; }}
"""
SEES = f"""{HEAD}
SEC("xdp") int sees(struct xdp_md *context)
{{
	__u32 *place = (void *)(long)context->data;
	if ((void *)(place + 2) > (void *)(long)context->data_end)
		return XDP_ABORTED;
	place[0] = context->ingress_ifindex;
	place[1] = context->rx_queue_index;
	return XDP_PASS;
}}
"""


def frame(first: int, size: int = 60) -> bytes:
    return bytes([first]) + bytes(size - 1)


def test_each_verdict_has_its_name(lab: Lab) -> None:
    names = ["ABORTED", "DROP", "PASS", "TX", "REDIRECT", "5", "255"]
    with Program(compiled(TOLD), lab.port) as program:
        runs = program.test_run([frame(first) for first in (0, 1, 2, 3, 4, 5, 255)])
        assert runs.verdicts.tolist() == names
        assert [run.verdict for run in runs] == names
        assert (runs.nanoseconds > 0).all()
        assert "1 DROP" in repr(runs)


def test_the_bytes_are_those_that_the_program_left(lab: Lab) -> None:
    given = [bytes(range(100)), bytes(range(200)), bytes(9000)]
    with Program(compiled(SHORTENS), lab.port) as program:
        runs = program.test_run(given)
        assert runs.outputs == [each[:-4] for each in given]
        assert runs.lengths.tolist() == [96, 196, 8996]
        assert runs[0] == ProgramRun("TX", given[0][:-4], runs[0].nanoseconds)


def test_a_repeat_runs_so_often_and_gives_the_first_runs_output(lab: Lab) -> None:
    with Program(compiled(TOLD), lab.port) as program:
        program.test_run([frame(2), frame(1)], repeat=1000)
        assert read_counter(program.maps["counts"].fileno(), 1) == 2000
    with Program(compiled(SHORTENS), lab.port) as program:
        assert program.test_run(bytes(100), repeat=10)[0].output == bytes(96)


def test_frames_come_in_every_form(lab: Lab) -> None:
    packet = Ether(dst="02:00:00:00:00:01") / IP(dst="198.18.0.1") / UDP(dport=9) / bytes(40)
    one, two = frame(2), frame(1)
    array = np.frombuffer(one + two, np.uint8).reshape(2, 60)
    with Program(compiled(TOLD), lab.port) as program:
        for alone in (one, bytearray(one), memoryview(one), array[0], [one], array[:1], packet):
            assert program.test_run(alone).verdicts.tolist() == ["PASS"]
        assert program.test_run(packet)[0].output == bytes(packet)
        for several in ([one, two], (one, two), array, array[:, :30], iter([packet, two])):
            assert program.test_run(several).verdicts.tolist() == ["PASS", "DROP"]
        empty = program.test_run([])
        assert len(empty) == len(empty.outputs) == len(empty.lengths) == 0
        assert "0 frames" in str(empty)


def test_a_batch_of_a_capture_is_frames(lab: Lab) -> None:
    with Program(compiled(TOLD), lab.port) as program, Capture(lab.port) as capture:
        traffic = Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, size=100, count=10)
        with traffic:
            batch = next(iter(capture)).copy()
            traffic.wait(60)
        runs = program.test_run(batch)
        assert runs.outputs == [bytes(packet) for packet in batch]


def test_the_program_sees_the_queue_that_is_named(lab: Lab) -> None:
    with Program(compiled(SEES), lab.port) as program, program.attach():
        seen = np.frombuffer(program.test_run(bytes(60), queue=0)[0].output[:8], np.uint32)
        assert seen.tolist() == [lab.port.interface.index, 0]
        with pytest.raises(ConfigurationError, match="queue=4096"):
            program.test_run(bytes(60), queue=4096)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (bytes(13), r"frames\[0\] has 13 bytes"),
        ([bytes(60), bytes(32_001)], r"frames\[1\] has 32,001 bytes: a frame has 14 .* to 32,000"),
        ("text", "must be a list of frames as bytes"),
        (7, "must be a list of frames as bytes"),
        (None, "must be a list of frames as bytes"),
        ([7], r"frames\[0\]=7 is not a frame as bytes"),
        ([[1, 2]], r"frames\[0\]=\[1, 2\] is not a frame as bytes"),
        (np.zeros((2, 60)), "array of float64 with 2 dimensions"),
        (np.zeros(60, np.uint16), "array of uint16 with 1 dimensions"),
        (np.zeros((2, 2, 60), np.uint8), "3 dimensions"),
        ({"a": bytes(60)}, "must be a list"),
    ],
)
def test_what_is_no_frame_is_refused(lab: Lab, wrong: object, said: str) -> None:
    with Program(compiled(TOLD), lab.port) as program:
        with pytest.raises(ConfigurationError, match=said):
            program.test_run(wrong)
        assert read_counter(program.maps["counts"].fileno(), 1) == 0


@pytest.mark.parametrize("repeat", [0, -1, 1_000_001, 1.5, True, "1"])
def test_a_repeat_that_is_none_is_refused(lab: Lab, repeat: object) -> None:
    with (
        Program(compiled(TOLD), lab.port) as program,
        pytest.raises(ConfigurationError, match="repeat="),
    ):
        program.test_run(bytes(60), repeat=repeat)  # type: ignore[arg-type]


def test_a_closed_program_does_not_run(lab: Lab) -> None:
    program = Program(compiled(TOLD), lab.port)
    program.close()
    with pytest.raises(ClosedError, match="Load it again"):
        program.test_run(bytes(60))


def test_whatever_the_bytes_are_the_output_is_the_same(lab: Lab) -> None:
    with Program(compiled(TOLD), lab.port) as program:

        @settings(max_examples=200)
        @given(st.binary(min_size=14, max_size=2000))
        def check(given: bytes) -> None:
            (run,) = program.test_run(given)
            assert run.output == given
            assert run.verdict == (program.test_run(given[:14] + bytes(46))[0].verdict)

        check()
