"""The words of a ledger for frames that an interface filters out.

As in explain.py, settings go in, and sentences come out.
"""

from __future__ import annotations

from xdplab.ledger.situation import Situation


def filtered(now: Situation) -> str:
    """Say what an interface may have filtered out, and what makes it accept that; empty if nothing.

    Parameters
    ----------
    now
        The settings.
    """
    by = now.filtering
    if by is None:
        return ""
    takes_in = "only what is for its own address, for all, or for a group that was joined here"
    ask = "engine.reconfigure(promiscuous=True)"
    if not by.above:
        return "" if by.promiscuous else f" It takes in {takes_in}: {ask} takes in the rest."
    groups = "" if by.promiscuous else f" {ask} has it given all multicast."
    lower = (
        f"engine.close(), and Engine({by.below!r}, attach='skb', promiscuous=True) captures it "
        "there, with all else."
        if by.below
        else "capture there, in the other namespace where that is."
    )
    return (
        f" As a {by.above} it is given {takes_in}.{groups} Unicast for others comes to "
        f"{by.below or 'the interface'} below it alone: {lower}"
    )
