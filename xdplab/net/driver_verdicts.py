"""What a driver counts of the verdicts of the XDP program that it runs. veth's does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_NAME = re.compile(r"rx_queue_\d+_(xdp_packets|xdp_drops|xdp_tx|xdp_tx_errors|xdp_redirect|drops)")
# What drivers/net/veth.c (Linux 6.18) counts under each name.
_COUNTS = {
    "xdp_packets": "came",
    "xdp_drops": "dropped",
    "xdp_tx": "sent",
    "xdp_tx_errors": "sent",  # and refused there
    "xdp_redirect": "redirected",
    "drops": "redirected",  # and refused there
}


class DriverVerdicts(NamedTuple):
    """Packets of an interface by the verdict that they got."""

    came: int = 0
    """All of them."""
    dropped: int = 0
    """With those of ``XDP_ABORTED`` among them."""
    sent: int = 0
    """Back out of the interface."""
    redirected: int = 0
    """To sockets, interfaces or cores."""

    @property
    def passed(self) -> int:
        """To the stack."""
        return max(self.came - self.dropped - self.sent - self.redirected, 0)


def verdicts_in(statistics: Mapping[str, int]) -> DriverVerdicts | None:
    """Sum up the queues' counts in a driver's statistics; None where it counts no verdicts."""
    found: dict[str, int] = {}
    for name, count in statistics.items():
        if match := _NAME.fullmatch(name):
            field = _COUNTS[match[1]]
            found[field] = found.get(field, 0) + count
    return DriverVerdicts(**found) if "came" in found else None
