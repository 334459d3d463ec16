"""The words of a ledger on what an XDP program of the user's did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xdplab.core.text import counted
from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation

NOT_FOR_THE_ENGINE = (
    *(Line.STACK, Line.PROGRAM_DROPPED, Line.PROGRAM_SENT, Line.PROGRAM_REDIRECTED),
    Line.PROGRAM_OTHERS,
)
"""Lines of packets that your program got, and did not redirect to the engine."""


def dropped() -> str:
    """Say which packets your program dropped, and how to see why."""
    return (
        " were dropped by your program, by XDP_DROP or XDP_ABORTED. program.test_run(frame) tells "
        "its verdict on a frame."
    )


def others(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    """Say what your program did with other packets that it did not redirect to the engine.

    Parameters
    ----------
    counts
        Packets by the line.
    now
        The settings.
    """
    if (passed := counts.get(Line.STACK)) and (now.lost_program or now.bypassed):
        yield (
            f"{counted(passed, 'packet')} went to the stack: your program passed them, or they "
            "came while it was off the interface, or had no socket for them."
        )
        counts = {**counts, Line.STACK: 0}
    if (sent := counts.get(Line.PROGRAM_SENT)) and now.sent_back:
        yield f"{counted(sent, 'packet')} were sent back by your program. {' '.join(now.sent_back)}"
        counts = {**counts, Line.PROGRAM_SENT: 0}
    for line, words in (
        (Line.STACK, "went to the stack: your program passed them"),
        (Line.PROGRAM_SENT, "were sent back by your program: XDP_TX"),
        (
            Line.PROGRAM_REDIRECTED,
            "were redirected by your program, and not to this engine's sockets: to another "
            "interface, core or socket, or to one that did not take them",
        ),
        (Line.PROGRAM_OTHERS, "were not redirected to this engine by your program"),
    ):
        if packets := counts.get(line):
            yield f"{counted(packets, 'packet')} {words}. That is no loss."
    if not now.counts_verdicts:
        yield (
            "What your program did with packets that it did not redirect to the engine is not "
            "known: only a veth's driver counts that, with attach='native'. Count in a map of the "
            "program's."
        )
