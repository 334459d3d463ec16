"""The ways that packets go from an XDP program, one for each verdict."""

from __future__ import annotations

from typing import NamedTuple

from xdplab.widgets.style.palette import LOST, PASSED, REDIRECTED, SENT


class Way(NamedTuple):
    """Where packets go after a verdict."""

    name: str
    """The field of `reader.Rates` and of `DriverVerdicts`."""
    words: str
    verdict: str
    color: str


WAYS = (
    Way("passed", "to the stack", "XDP_PASS", PASSED),
    Way("redirected", "redirected", "XDP_REDIRECT", REDIRECTED),
    Way("sent", "sent back", "XDP_TX", SENT),
    Way("dropped", "dropped", "XDP_DROP", LOST),
)
"""From the top of the drawing down."""
