"""An XDP program of the user's own in front of the sockets, and what it does to packets."""

from __future__ import annotations

import errno
import random
import time
from contextlib import nullcontext

import pytest
from selftest.cases import cases
from support.pairs import AT_ONCE, HEADER, Pair, carry, frame, send_from_stack, taken

from xdplab import ConfigurationError

LONG = 8000  # bytes of a packet that takes several buffers
BY = 40  # bytes that a program cuts or adds
SIZE = 200


def numbered(count: int) -> list[bytes]:
    """Make frames, each with its number."""
    return [
        HEADER + bytes([number]) + random.Random(number).randbytes(99) for number in range(count)
    ]


@cases("XDP_DROP_HALF")
def test_of_packets_of_which_every_second_is_dropped_the_others_arrive(
    case: str, pair: Pair
) -> None:
    given = numbered(2 * AT_ONCE)
    with (
        pair.program(drops_odd=1) as (program, _link),
        pair.ends({}, program=program) as (sender, receiver),
    ):
        assert sender.send(given) == len(given)
        assert taken(receiver, AT_ONCE) == given[::2]
        assert not len(receiver.recv(timeout=0.1))


@cases("XDP_PROG_CLEANUP")
def test_a_program_outlives_a_socket_and_takes_the_next(case: str, pair: Pair) -> None:
    with (
        pair.program() as (program, link),
        pair.capture(pair.second) as sender,
    ):
        for _ in range(2):
            with pair.capture(program=program) as receiver:
                carry(sender, receiver, numbered(2 * AT_ONCE))
            assert link.attached
            pair.wait()  # without a socket, packets are left to the stack


@cases("XDP_SHARED_UMEM")
def test_two_sockets_each_get_what_the_program_gives_them(case: str, pair: Pair) -> None:
    given = numbered(2 * AT_ONCE)
    with (
        pair.program(sockets_a_queue=2) as (program, _link),
        pair.ends({}, program=program, sockets=2) as (sender, receiver),
    ):
        for _ in range(3):
            assert sender.send(given) == len(given)
            for number, each in enumerate(receiver.receivers):
                assert taken(each, AT_ONCE) == given[number::2]


@cases("XDP_METADATA_COPY", "XDP_METADATA_COPY_MULTI_BUFF")
def test_what_a_program_writes_in_front_of_a_packet_comes_with_it(case: str, pair: Pair) -> None:
    is_long = case.endswith("MULTI_BUFF")
    sizes = [LONG, SIZE, LONG] if is_long else [SIZE] * 3
    if pair.mode == "skb":
        with (
            pytest.raises(ConfigurationError, match="attach='native'") as refusal,
            pair.own_programs(),
            pair.capture(metadata=True),
        ):
            pass
        pair.refused(refusal.value)
        return
    if is_long and pair.refuses_several_buffers():
        return
    with (
        pair.long_packets() if is_long else pair.own_programs(),
        pair.capture(metadata=True, multi_buffer=is_long) as receiver,
    ):
        times = [time.monotonic_ns()]
        for size in sizes:
            send_from_stack(pair.second, [frame(random.Random(size), size)])
            batch = receiver.recv(timeout=30)
            assert sum(batch.lengths.tolist()) == size
            times.append(int(batch.program_times[0]))
        times.append(time.monotonic_ns())
    assert times == sorted(times)


ENDS = {
    "XDP_ADJUST_TAIL_SHRINK": (SIZE, -BY),
    "XDP_ADJUST_TAIL_SHRINK_MULTI_BUFF": (LONG, -BY),
    "XDP_ADJUST_TAIL_GROW": (SIZE, BY),
    "XDP_ADJUST_TAIL_GROW_MULTI_BUFF": (LONG, BY),
}


@cases(*ENDS)
def test_a_packet_comes_with_the_end_that_a_program_gave_it(case: str, pair: Pair) -> None:
    size, by = ENDS[case]
    is_long = size == LONG
    if is_long and pair.refuses_several_buffers():
        return
    with (
        pair.long_packets() if is_long else nullcontext(),
        pair.program(is_long, lengthens_by=by) as (program, _link),
        pair.capture(program=program, multi_buffer=is_long) as receiver,
    ):
        given = frame(random.Random(1), size)
        send_from_stack(pair.second, [given])
        if is_long and by > 0:
            assert not len(receiver.recv(timeout=0.2))
            assert program.maps["counts"][0] == errno.EOPNOTSUPP
            # What the program does where a device lets it is seen without one.
            assert program.test_run(given).outputs == [given + bytes(by)]
            pair.not_possible(
                "bpf_xdp_adjust_tail() says EOPNOTSUPP: the device tells no room behind the "
                "buffers of a packet (frag_size). BPF_PROG_TEST_RUN lengthens it."
            )
            return
        (came,) = taken(receiver, 1)
    assert len(came) == size + by
    assert came[:size] == given[: size + by]
    assert came[size:] == bytes(max(by, 0))
