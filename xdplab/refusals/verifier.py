"""What the kernel's verifier says of a program that it refuses, in the words of its source."""

from __future__ import annotations

import re
from collections.abc import Callable

from xdplab.core.errors import VerifierError
from xdplab.core.source_lines import SourceLine
from xdplab.refusals.verifier_hints import hint_for

TAIL_LINES = 8
"""So many lines of the log are in the message."""

LineOf = Callable[[int], SourceLine | None]
"""Returns the line of the source that an instruction comes from, where it is known."""

_INSTRUCTION = re.compile(r"^(\d+): \(", re.MULTILINE)
# Complaints that come before the verifier follows the program, or name their place.
_NAMED = re.compile(r"(?:at|from|unreachable|detected at) insn (\d+)")
_NOT_A_REASON = re.compile(
    r"^\s*$|^(\d+: )?(frame\d+: )?R\d+\w*=|^\d+: (\(|R|safe)|"
    r"^(from \d+ to|cur state|old state|processed|func#|mark_precise|parent|last_idx|first_idx|"
    r"regs=|verification time|stack depth|caller|callee|returning|propagating|falling back|;)"
)


def verifier_error(
    tried: str, code: int, log: str, line_of: LineOf = lambda _instruction: None
) -> VerifierError:
    """Return the error of a program that the verifier refuses.

    Parameters
    ----------
    tried, code
        As of `KernelError`.
    log
        The verifier's log.
    line_of
        Knows the program's source.
    """
    reason = _reason(log)
    number = _instruction(log, reason)
    where = None if number is None else line_of(number)
    hint = hint_for(reason)
    tail = log.rstrip("\n").split("\n")[-TAIL_LINES:]
    error = VerifierError(tried, code, _words(reason, hint, where, tail))
    error.reason, error.hint, error.where, error.log = reason, hint, where, log
    return error


def _words(reason: str, hint: str, where: SourceLine | None, tail: list[str]) -> str:
    at = f", at {where}" if where else ""
    parts = [f"The kernel's verifier refuses the program{at}, and says why:"]
    if where and where.text.strip():
        parts.append(f"    {where.text.strip()}")
    parts += [reason, *([hint] if hint else []), "The end of its log, which error.log has:"]
    return "\n".join([*parts, *(f"    {line}" for line in tail)])


def _reason(log: str) -> str:
    """Return the complaint: what stands behind the last instruction and is no state of registers.

    Returns
    -------
    str
        It, or the last line of the log.
    """
    starts = [found.start() for found in _INSTRUCTION.finditer(log)]
    rest = log[starts[-1] :].split("\n")[1:] if starts else log.split("\n")
    found = [line for line in rest if not _NOT_A_REASON.search(line)]
    return "\n".join(found) or (log.strip().split("\n") or [""])[-1]


def _instruction(log: str, reason: str) -> int | None:
    named = _NAMED.search(reason)
    numbers = [named[1]] if named else _INSTRUCTION.findall(log)
    return int(numbers[-1][:9]) if numbers else None
