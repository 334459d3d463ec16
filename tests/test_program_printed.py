"""Lines that a program prints with bpf_printk: which come, to whom, and what is left of them."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.child_programs import line, python
from support.objects import HEAD, compiled
from support.odd_values import WILD
from support.waiting import eventually

from xdplab import (
    ClosedError,
    ConfigurationError,
    Lab,
    PermissionRefusedError,
    Program,
    VerifierError,
    XdplabError,
)
from xdplab.native import lib
from xdplab.programs.printed_lines import PrintedLines

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="trace buffers are root's")

SOURCE = f"""{HEAD}
__u64 number = 0;
SEC("xdp") int tell(struct xdp_md *context)
{{
	bpf_printk("number %llu of queue %d", number++, context->rx_queue_index);
	return XDP_PASS;
}}
"""
OTHER = f"""{HEAD}
SEC("xdp") int also(struct xdp_md *context)
{{
	__u32 address = bpf_ntohl(0xc6120001);

	bpf_printk("100%% of %s from %pI4, %x, %c", "them", &address, 255, 'x');
	bpf_printk("one, %d, %d, %d", 1, 2, 3);
	bpf_printk("a\\nb");
	bpf_printk("ends\\n");
	return XDP_DROP;
}}
""".replace("bpf_helpers.h>", "bpf_helpers.h>\n#include <bpf/bpf_endian.h>")
SILENT = f"""{HEAD} SEC("xdp") int silent(struct xdp_md *context) {{ return XDP_PASS; }}"""


@pytest.fixture
def program(lab: Lab) -> Iterator[Program]:
    with Program(compiled(SOURCE), lab.port) as made:
        yield made


@contextmanager
def buffers() -> Iterator[int]:
    """Open the folder of trace buffers, which has no path."""
    root = lib.xdplab_tracefs_open()
    folder = os.open("instances", os.O_RDONLY, dir_fd=root)
    try:
        yield folder
    finally:
        os.close(folder)
        os.close(root)


def names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [each.name for each in entries]


def of_process(number: int) -> list[str]:
    with buffers() as folder:
        return [each for each in names(folder) if each.startswith(f"xdplab-{number}-")]


@pytest.mark.kernel
@as_root
def test_lines_come_in_order_and_once(lab: Lab, program: Program) -> None:
    with program.printed() as lines:
        program.test_run([bytes(60), bytes(100)])
        found = list(lines.records(timeout=0))
        assert [each.text for each in found] == ["number 0 of queue 0", "number 1 of queue 0"]
        assert found[0].time_ns <= found[1].time_ns
        assert all(0 <= each.cpu < (os.cpu_count() or 1) for each in found)
        assert list(lines.records(timeout=0)) == []
        program.test_run(bytes(60))
        assert [each.text for each in lines.read()] == ["number 2 of queue 0"]
        assert lines.lost == 0
        assert str(found[0]).endswith(f"core {found[0].cpu}: number 0 of queue 0")


@pytest.mark.kernel
@as_root
def test_lines_of_others_are_left_out_unless_asked_for(lab: Lab, program: Program) -> None:
    with (
        Program(compiled(OTHER), lab.port) as other,
        program.printed() as mine,
        other.printed() as theirs,
        program.printed(everything=True) as whole,
    ):
        program.test_run(bytes(60))
        other.test_run(bytes(60))
        said = ["100% of them from 198.18.0.1, ff, x", "one, 1, 2, 3", "a\nb", "ends"]
        assert [each.text for each in mine.records(timeout=0)] == ["number 0 of queue 0"]
        assert [each.text for each in theirs.records(timeout=0)] == said
        texts = [each.text for each in whole.records(timeout=0)]
        assert [each for each in texts if each in ("number 0 of queue 0", *said)] == [
            "number 0 of queue 0",
            *said,
        ]


@pytest.mark.kernel
@as_root
def test_lines_that_found_no_room_are_counted(program: Program) -> None:
    printed = 30_000  # more than a core's buffer has room for
    with program.printed() as lines:
        program.test_run(bytes(60), repeat=printed)
        found = list(lines.records(timeout=0))
        assert lines.lost > 0
        # Others may print meanwhile, such as an example of the pages.
        assert printed <= len(found) + lines.lost <= printed + 100
        assert found[-1].text.startswith(f"number {printed - 1} ")


@pytest.mark.kernel
@as_root
def test_a_reader_waits_for_what_comes(program: Program) -> None:
    with program.printed() as lines:
        found: list[str] = []
        reader = threading.Thread(target=lambda: found.append(next(lines.records(timeout=60)).text))
        reader.start()
        program.test_run(bytes(60))
        reader.join(60)
        assert found == ["number 0 of queue 0"]

        async def read() -> list[Any]:
            program.test_run(bytes(60))
            return [each.text async for each in lines.records(timeout=0.2)]

        assert asyncio.run(read()) == ["number 1 of queue 0"]


@pytest.mark.kernel
@as_root
def test_a_reader_ends_with_close(program: Program) -> None:
    lines = program.printed()
    ended: list[list[Any]] = []
    records = lines.records()
    reader = threading.Thread(target=lambda: ended.append(list(records)))
    reader.start()
    lines.close()
    lines.close()
    reader.join(60)
    assert ended == [[]]
    assert "closed" in repr(lines)
    assert "closed" in str(lines)
    with pytest.raises(ClosedError, match=r"program\.printed\(\)"):
        lines.read()


@pytest.mark.kernel
@as_root
def test_close_leaves_nothing_in_the_kernel(program: Program) -> None:
    lines = [program.printed(), program.printed()]
    assert len(of_process(os.getpid())) == 2
    for each in lines:
        each.close()
    assert of_process(os.getpid()) == []
    with program.printed():
        assert len(of_process(os.getpid())) == 1
    assert of_process(os.getpid()) == []


OPEN = """
import time
from xdplab.programs.printed_lines import PrintedLines
lines = PrintedLines()
print("open", flush=True)
while True:  # a signal just before one long wait would not end that
    time.sleep(0.01)
"""


@pytest.mark.privilege
@as_root
@pytest.mark.usefixtures("privileged")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_death_leaves_nothing_in_the_kernel(end: signal.Signals) -> None:
    with python(OPEN) as child:
        assert line(child) == "open"
        assert len(of_process(child.pid)) == 1
        child.send_signal(end)
        child.wait()
    assert eventually(lambda: of_process(child.pid) == [])


@pytest.mark.privilege
@as_root
@pytest.mark.usefixtures("privileged")
def test_a_forgotten_buffer_goes_with_the_next_and_others_stay() -> None:
    with buffers() as folder, PrintedLines():
        os.mkdir("xdplab-0-forgotten", dir_fd=folder)
        with PrintedLines():
            assert len(of_process(os.getpid())) == 2
            assert "xdplab-0-forgotten" not in names(folder)


@pytest.mark.kernel
def test_wrong_calls_are_named(lab: Lab) -> None:
    silent = Program(compiled(SILENT), lab.port)
    with pytest.raises(ConfigurationError, match="everything="):
        silent.printed(everything="yes")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"no bpf_printk.*printed\(everything=True\)"):
        silent.printed()
    silent.close()
    with pytest.raises(ClosedError, match="this program was closed"):
        silent.printed()


@pytest.mark.kernel
@as_root
def test_wrong_timeouts_are_named(program: Program) -> None:
    with program.printed() as lines:
        with pytest.raises(ConfigurationError, match="timeout=-1"):
            lines.records(timeout=-1)
        for make in WILD.values():
            try:
                lines.records(timeout=make())
            except XdplabError as error:
                assert str(error)


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_who_is_not_root_is_told_what_to_do(lab: Lab) -> None:
    with (
        Program(compiled(SILENT), lab.port) as silent,
        pytest.raises(PermissionRefusedError, match=r"EPERM.*run as root, or send records"),
    ):
        silent.printed(everything=True)
    # A broker's client has no CAP_PERFMON for its programs.
    with pytest.raises(VerifierError, match="cannot use helper bpf_trace_printk"):
        Program(compiled(SOURCE), lab.port)
