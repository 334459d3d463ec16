"""Runs a loaded XDP program on a frame that never was on a wire: by the program's descriptor.

The broker does this for its clients, and the kernel backend in the user's process.
"""

from __future__ import annotations

from typing import NamedTuple

from xdplab.native import ffi, lib
from xdplab.refusals.errors import new_error, raise_error
from xdplab.refusals.remedies import NOWHERE, Place

SHORTEST, LONGEST = 14, 32_000
"""Bytes of a frame: its Ethernet header, and what a message of the broker's has room for."""
MOST_REPEATS = 1_000_000
NO_QUEUE = -1
_MORE_BYTES = 4096 + 256  # by which a program can lengthen a frame: at its end, and in front


class Ran(NamedTuple):
    """What became of one frame."""

    verdict: int
    """``enum xdp_action``, or another number that the program returned."""
    output: bytes
    nanoseconds: int
    """Mean of a run, without the first where there are more."""


def run_program(
    program: int,
    frame: bytes,
    repeat: int,
    interface_index: int,
    queue: int = NO_QUEUE,
    *,
    place: Place = NOWHERE,
) -> Ran:
    """Run a program in the calling thread's network namespace.

    Parameters
    ----------
    program
        Its descriptor.
    frame
        Of `SHORTEST` to `LONGEST` bytes.
    repeat
        Runs; 1 to `MOST_REPEATS`. The first gives verdict and output. Each of the others gets the
        frame as the one before left it.
    interface_index, queue
        That the program sees as those on which the frame came; with `NO_QUEUE` the kernel takes the
        loopback's.
    place
        Where that is, for the remedy of a refusal.

    Raises
    ------
    KernelError
        When the kernel refuses; EINTR when a signal came to this thread.
    """
    context = (0, 0) if queue == NO_QUEUE else (interface_index, queue)
    first = _run(program, frame, 1, context, place)
    if repeat == 1:
        return first
    others = _run(program, frame, repeat - 1, context, place)
    return first._replace(nanoseconds=others.nanoseconds)


def _run(program: int, frame: bytes, repeat: int, context: tuple[int, int], place: Place) -> Ran:
    error, room = new_error(), len(frame) + _MORE_BYTES
    given, output = ffi.from_buffer("uint8_t[]", frame), ffi.new("uint8_t[]", room)
    fields = {
        "frame": given,
        "frame_bytes": len(frame),
        "output": output,
        "output_bytes": room,
        "repeat": repeat,
        "interface_index": context[0],
        "queue": context[1],
    }
    native = ffi.new("struct xdplab_program_run *", fields)
    if lib.xdplab_program_run(program, native, error):
        raise_error(error, place)
    made = bytes(ffi.buffer(output, native.output_bytes))
    return Ran(native.verdict, made, native.duration_ns)
