"""Checks of lesson 08, Your own XDP program."""

from __future__ import annotations

from contextlib import ExitStack

from xdplab.core.errors import CompileError, VerifierError, XdplabError
from xdplab.course.checking import Checks, UnfilledError, WrongAnswerError, an, called
from xdplab.course.sending import send
from xdplab.lab.lab import Lab
from xdplab.xdp.link import Link
from xdplab.xdp.program import Program

_HERE = "/* here */"
_TO, _FROM, _IPV4, _ARP = (
    bytes.fromhex("020000000002"),
    bytes.fromhex("020000000001"),
    0x0800,
    0x0806,
)


def _frame(ethertype: int, protocol: int = 0, length: int = 60) -> bytes:
    """Return a frame with an IPv4 header of that protocol, or what looks like one."""
    ip = bytes([0x45, 0]) + (length - 14).to_bytes(2) + bytes(5) + bytes([protocol]) + bytes(10)
    return (_TO + _FROM + ethertype.to_bytes(2) + ip).ljust(length, b"\0")[:length]


_TCP, _UDP = 6, 17
_CASES = (
    (_frame(_IPV4, _TCP), "DROP", "a TCP packet"),
    (_frame(_IPV4, _UDP), "PASS", "a UDP packet"),
    (_frame(_ARP, _TCP), "PASS", "a packet that is not IPv4"),
    (_frame(_ARP, length=20), "PASS", "a frame that is too short for an IPv4 header"),
)


def no_tcp(source: object, line: object) -> None:
    """Check the line that makes the verifier take a program."""
    program = an(str, source, "the lesson's program, `no_tcp`,")
    line = an(str, line, "a line of C, as text,")
    if _HERE not in program:
        raise WrongAnswerError(f"the lesson's program is to stay as it is, with its {_HERE}.")
    with Lab() as lab, _loaded(program.replace(_HERE, line), lab) as loaded:
        for frame, wanted, which in _CASES:
            verdict = loaded.test_run(frame)[0].verdict
            if verdict != wanted:
                raise WrongAnswerError(f"{which} gets the verdict {verdict}.")


_LONGEST = 500  # bytes, as the exercise has it
_LENGTHS = (60, _LONGEST - 1, _LONGEST, _LONGEST + 1, 1514)


def short_only(source: object) -> None:
    """Check a program that drops long frames and counts them."""
    with Lab() as lab, _loaded(an(str, source, "a program in C, as text,"), lab) as program:
        if "dropped" not in program.variables:
            raise WrongAnswerError("it has no global variable `dropped`.")
        for length in _LENGTHS:
            before = program.variables["dropped"]
            verdict = program.test_run(_frame(_IPV4, _UDP, length))[0].verdict
            counted = program.variables["dropped"] - before
            if verdict != ("DROP" if length > _LONGEST else "PASS"):
                raise WrongAnswerError(f"a frame of {length:,} bytes gets the verdict {verdict}.")
            if counted != (length > _LONGEST):
                raise WrongAnswerError(f"with a frame of {length:,} bytes, `dropped` is not right.")


_COUNTS = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

__u64 seen;

SEC("xdp") int counts(struct xdp_md *context)
{
	__sync_fetch_and_add(&seen, 1);
	return XDP_PASS;
}
"""
_PACKETS = 100


def swap(function: object) -> None:
    """Check a function that puts a program in another's place."""
    with Lab() as lab, Program(_COUNTS, lab.port) as old:
        link = old.attach()
        new = an(Program, called(function, link, _COUNTS), "the new program")
        with ExitStack() as closing:
            closing.callback(new.close)
            _is_swapped(lab, link, old, new)


def _is_swapped(lab: Lab, link: Link, old: Program, new: Program) -> None:
    if link.closed:
        raise WrongAnswerError("the link was closed, so for a moment there was no program at all.")
    if new is old or new.closed:
        raise WrongAnswerError("what it returns is not a new program.")
    if link.program is not new:
        raise WrongAnswerError("packets still get their verdict of the former program.")
    send(lab, _PACKETS)
    if new.variables["seen"] < _PACKETS:
        raise WrongAnswerError(f"the new program saw fewer than {_PACKETS} packets.")


def _loaded(source: str, lab: Lab) -> Program:
    if not source.strip():
        raise UnfilledError("there is no program yet.")
    try:
        return Program(source, lab.port)
    except VerifierError as refusal:
        where = f" at `{refusal.where.text.strip()}`" if refusal.where else ""
        raise WrongAnswerError(f"the verifier refuses it{where}: {refusal.reason}") from refusal
    except CompileError as error:
        raise WrongAnswerError(f"it does not compile: {error}") from error
    except XdplabError as error:
        raise WrongAnswerError(f"it can't be loaded: {error}") from error


CHECKS: Checks = {"1": no_tcp, "2": short_only, "3": swap}
