"""Ring buffers of a program: its records as they come, of the type that its source declares."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.objects import HEAD, compiled
from support.odd_values import WILD

from xdplab import ClosedError, ConfigurationError, Lab, Program, Traffic, XdplabError
from xdplab.xdp.records import Records

pytestmark = pytest.mark.kernel  # which runs the programs

SIZE = 1000  # bytes of a frame, that no other sender on the wire makes
ROOM = 16 * 1024
SOURCE = f"""{HEAD}
struct event {{ __u64 number; __u16 length; __u8 tag[4]; }};
struct longer {{ struct event event; __u64 more; }};
struct event *kept __attribute__((unused));
struct longer *also __attribute__((unused));
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, {ROOM}); }} events SEC(".maps");
__u64 sent, lost;
__u32 more;
SEC("xdp") int tell(struct xdp_md *context)
{{
	const char *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	struct longer longer = {{ .event = {{ 0, {SIZE}, {{ 1, 2, 3, 4 }} }}, .more = 7 }};

	if (data + {SIZE} > end || data + {SIZE + 1} <= end)
		return XDP_PASS;
	longer.event.number = sent++;
	if (bpf_ringbuf_output(&events, &longer, more ? sizeof(longer) : sizeof(struct event), 0))
		lost++;
	return XDP_PASS;
}}
"""


@pytest.fixture
def program(lab: Lab) -> Iterator[Program]:
    with Program(compiled(SOURCE), lab.port) as made:
        made.attach()
        yield made


def send(program: Program, count: int) -> None:
    """Have the program send so many records."""
    before = program.variables["sent"]
    program.test_run(bytes(SIZE), repeat=count)
    assert program.variables["sent"] == before + count


def send_frames(lab: Lab, count: int) -> None:
    with Traffic(lab.peer, lab.port, rate=2_000, size=SIZE, count=count) as traffic:
        traffic.wait(60)
        assert traffic.sent == count


def test_records_come_in_order_and_once(program: Program) -> None:
    events = program.maps["events"]
    send(program, 50)
    found = list(events.records("struct event", timeout=0))
    assert [each.number for each in found] == list(range(50))
    assert {(each.length, each.tag.tobytes()) for each in found} == {(SIZE, bytes((1, 2, 3, 4)))}
    assert list(events.records("struct event", timeout=0)) == []
    send(program, 3)
    assert [each.number for each in events.records("struct event", timeout=0)] == [50, 51, 52]
    assert program.variables["lost"] == 0


def test_records_that_wait_are_an_array(program: Program) -> None:
    events = program.maps["events"]
    send(program, 20)
    read = events.read("struct event")
    assert read["number"].tolist() == list(range(20))
    assert events.read("struct event").shape == (0,)


def test_a_reader_waits_for_what_comes(lab: Lab, program: Program) -> None:
    records = program.maps["events"].records("struct event", timeout=60)
    found: list[int] = []

    def read() -> None:
        while len(found) < 30:
            found.append(int(next(records).number))

    reader = threading.Thread(target=read)
    reader.start()
    send_frames(lab, 30)
    reader.join(60)
    assert found == list(range(30))


def test_records_come_in_asyncio(lab: Lab, program: Program) -> None:
    async def read() -> list[int]:
        found = []
        async for each in program.maps["events"].records("struct event", timeout=60):
            found.append(int(each.number))
            if len(found) == 30:
                break
        return found

    async def both() -> list[int]:
        reading = asyncio.create_task(read())
        await asyncio.to_thread(send_frames, lab, 30)
        return await reading

    assert asyncio.run(both()) == list(range(30))

    async def nothing() -> list[Any]:
        return [each async for each in program.maps["events"].records(timeout=0)]

    assert asyncio.run(nothing()) == []


def test_records_are_bytes_without_a_type_and_of_any_dtype(program: Program) -> None:
    events = program.maps["events"]
    send(program, 3)
    assert [each[:8] for each in events.records(timeout=0)] == [
        n.to_bytes(8, "little") for n in range(3)
    ]
    send(program, 2)
    assert list(events.records(dtype="<u8", timeout=0)) == [3, 4]
    program.variables["more"] = 1
    send(program, 2)
    assert [each.more for each in events.read("struct longer")] == [7, 7]
    program.variables["more"] = 0
    send(program, 2)
    with pytest.raises(ConfigurationError, match=r"events has 16 bytes, and its type 24"):
        list(events.records("struct longer", timeout=0))


def test_what_found_no_room_is_the_programs_to_count(program: Program) -> None:
    held = ROOM // (8 + 16)  # a record has a head of 8 bytes
    send(program, held + 300)
    lost = program.variables["lost"]
    assert lost >= 300
    read = list(program.maps["events"].records("struct event", timeout=0))
    assert len(read) + lost == held + 300
    assert [each.number for each in read] == list(range(len(read)))
    send(program, 5)  # there is room again
    assert len(program.maps["events"].read()) == 5


def test_a_reader_ends_with_its_program(lab: Lab) -> None:
    program = Program(compiled(SOURCE), lab.port)
    events = program.maps["events"]
    records = events.records()
    ended: list[list[Any]] = []
    reader = threading.Thread(target=lambda: ended.append(list(records)))
    reader.start()
    program.close()
    reader.join(60)
    assert ended == [[]]
    with pytest.raises(ClosedError, match="events was closed"):
        events.read()


def test_a_reader_ends_where_its_source_is_closed_between_two_looks() -> None:
    def records() -> Records:
        descriptor = os.eventfd(0)
        closed: list[bool] = []

        def take() -> list[Any]:
            if closed:
                raise ClosedError("closed")
            return []

        def fileno() -> int:
            os.close(descriptor)  # by another thread, once its number is known
            closed.append(True)
            return descriptor

        return Records(fileno, take, math.inf)

    async def read() -> list[Any]:
        return [each async for each in records()]

    assert list(records()) == asyncio.run(read()) == []


def test_a_wrong_argument_is_named(program: Program) -> None:
    events = program.maps["events"]
    with pytest.raises(ConfigurationError, match="type='struct evnt' is no type"):
        events.records("struct evnt")
    with pytest.raises(ConfigurationError, match=r"dtype=.* must be a dtype"):
        events.records(dtype=object)
    with pytest.raises(ConfigurationError, match="give one"):
        events.read("struct event", dtype="u4")
    with pytest.raises(ConfigurationError, match="timeout=-1"):
        events.records(timeout=-1)
    with pytest.raises(ConfigurationError, match="events is of the type ringbuf"):
        events[0]
    for make in WILD.values():
        for given in ({"type": make()}, {"dtype": make()}, {"timeout": make()}):
            try:
                events.records(**given)  # type: ignore[arg-type]
            except XdplabError as error:
                assert str(error)


def test_a_large_ring_is_read_in_parts(lab: Lab) -> None:
    source = SOURCE.replace(f"max_entries, {ROOM}", "max_entries, 4194304")
    with Program(compiled(source), lab.port) as program:
        program.test_run([bytes(SIZE)], repeat=10_000)
        sent = program.variables["sent"]
        first = program.maps["events"].read("struct event")
        assert len(first) == 4096
        rest = [
            int(each.number) for each in program.maps["events"].records("struct event", timeout=0)
        ]
        assert [*first["number"].tolist(), *rest] == list(range(sent))
        assert np.unique(first["length"]).tolist() == [SIZE]
