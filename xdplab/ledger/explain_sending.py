"""The words of a ledger for packets that are sent on in a form that no wire carries.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation


def losses(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    """Say which packets were sent on although their receiver, or the device, drops them."""
    if unfinished := counts.get(Line.UNFINISHED):
        yield (
            f"At least {_packets(unfinished)} sent on with an unfinished checksum, which the "
            "receiving stack drops and counts (`nstat -az` there: UdpInCsumErrors, "
            f"Udp6InCsumErrors, TcpInCsumErrors). {_CAUSE} "
            "engine.checksum = 'software' has the worker finish them"
            f"{_or(now.checksum_remedies)}."
        )
    if oversized := counts.get(Line.OVERSIZED):
        yield (
            f"{_packets(oversized)} handed to the TX ring longer than the MTU of the interface "
            "allows, and dropped by the device. They are super-packets: several packets of a "
            "stream that the sending stack left to its device to cut apart (GSO, TSO), or that GRO "
            "merged where they arrived; neither an XDP program nor an AF_XDP socket cuts them. "
            f"{uncut(now)}"
        )


def finished(counts: Mapping[str, int], now: Situation) -> Iterator[str]:
    """Say what the worker did to packets that it sent on."""
    if number := counts.get(Line.FINISHED):
        yield (
            f"{_packets(number)} received with an unfinished checksum; the worker finished it "
            f"before it sent each on. {_CAUSE} That is no loss"
            + (
                f"; the worker is spared that by {_listed(now.checksum_remedies)}."
                if now.checksum_remedies
                else "."
            )
        )


_CAUSE = (
    "A local stack leaves the checksum to its device, and a veth has none that would finish it."
)


def _packets(count: int) -> str:
    return f"{count:,} packet{' was' if count == 1 else 's were'}"


def _listed(commands: tuple[str, ...]) -> str:
    return " and ".join(f"`{command}`" for command in commands)


def _or(commands: tuple[str, ...]) -> str:
    if commands:
        return f"; or {_listed(commands)} has the sending stack do it"
    return "; or let the sending stack do it: ethtool -K switches tx off where it sends"


def uncut(now: Situation) -> str:
    """Return a sentence: which commands keep packets from being longer than the MTU."""
    if now.length_remedies:
        return f"{_listed(now.length_remedies)} avoids them."
    return (
        "The offload tx switched off (ethtool -K) on the interface by which they are sent avoids "
        "them, or gro switched off where they arrive."
    )
