"""An XDP program of the user's own in front of the sockets, and what it does to packets."""

from __future__ import annotations

import errno
import random
import time

import pytest
from selftest.cases import cases
from support.pairs import AT_ONCE, HEADER, PROTOCOL, Pair, carry, frame, send_from_stack, taken
from support.xskmaps import TO_SOCKET, steering

from xdplab import ConfigurationError, Program, XdplabError

NUMBER = len(HEADER)  # the place of a frame's number
OURS = f"""
	if (data + {NUMBER + 1} > end || data[12] != {PROTOCOL >> 8} || data[13] != {PROTOCOL & 255})
		return XDP_PASS;"""
"""Leaves to the stack what others send."""
LONG_MTU = 9000
LONG = 8000  # bytes of a packet that takes several buffers
BY = 40  # bytes that a program cuts or adds
SIZE = 200


def numbered(count: int) -> list[bytes]:
    """Make frames, each with its number."""
    return [
        HEADER + bytes([number]) + random.Random(number).randbytes(99) for number in range(count)
    ]


def loaded(pair: Pair, body: str, section: str = "xdp") -> Program:
    return Program(steering(f"{OURS}\n{body}", section=section), pair.first)


@cases("XDP_DROP_HALF")
def test_of_packets_of_which_every_second_is_dropped_the_others_arrive(
    case: str, pair: Pair
) -> None:
    given = numbered(2 * AT_ONCE)
    with (
        loaded(pair, f"if (data[{NUMBER}] & 1) return XDP_DROP; {TO_SOCKET}") as program,
        pair.capture(pair.second) as sender,
        pair.capture(program=program) as receiver,
    ):
        pair.wait()
        assert sender.send(given) == len(given)
        assert taken(receiver, AT_ONCE) == given[::2]
        assert not len(receiver.recv(timeout=0.1))


@cases("XDP_PROG_CLEANUP")
def test_a_program_outlives_a_socket_and_takes_the_next(case: str, pair: Pair) -> None:
    attach = pair.settings()["attach"]
    with (
        loaded(pair, TO_SOCKET) as program,
        program.attach(attach=attach) as link,
        pair.capture(pair.second) as sender,
    ):
        for _ in range(2):
            with pair.capture(program=program) as receiver:
                pair.wait()
                carry(sender, receiver, numbered(2 * AT_ONCE))
            assert link.attached
            pair.wait()  # without a socket, packets are left to the stack


@cases("XDP_SHARED_UMEM")
def test_two_sockets_each_get_what_the_program_gives_them(case: str, pair: Pair) -> None:
    given = numbered(2 * AT_ONCE)
    entry = f"context->rx_queue_index * 2 + (data[{NUMBER}] & 1)"
    with (
        loaded(pair, f"return bpf_redirect_map(&sockets, {entry}, XDP_DROP);") as program,
        pair.capture(pair.second) as sender,
        pair.capture(program=program, sockets=2) as receiver,
    ):
        pair.wait()
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
            pair.capture(metadata=True),
        ):
            pass
        pair.refused(refusal.value)
        return
    with pair.longest(LONG_MTU if is_long else 1500):
        if is_long and not pair.takes_several_buffers:
            refuses_several(pair)
            return
        with pair.capture(metadata=True, multi_buffer=is_long) as receiver:
            pair.wait()
            times = [time.monotonic_ns()]
            for size in sizes:
                send_from_stack(pair.second, [frame(random.Random(size), size)])
                batch = receiver.recv(timeout=30)
                assert sum(batch.lengths.tolist()) == size
                times.append(int(batch.program_times[0]))
            times.append(time.monotonic_ns())
    assert times == sorted(times)


def refuses_several(pair: Pair) -> None:
    """See that an engine for packets of several buffers is refused; note it."""
    with pytest.raises(XdplabError) as refusal, pair.capture(multi_buffer=True):
        pass
    pair.refused(refusal.value)


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
    with pair.longest(LONG_MTU if is_long else 1500):
        if is_long and not pair.takes_several_buffers:
            refuses_several(pair)
            return
        body = f"""
	long refused = bpf_xdp_adjust_tail(context, {by});
	if (refused) {{
		*counted = -refused;
		return XDP_DROP;
	}}
	{TO_SOCKET}"""
        with (
            loaded(pair, body, "xdp.frags" if is_long else "xdp") as program,
            pair.capture(program=program, multi_buffer=is_long) as receiver,
        ):
            pair.wait()
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
