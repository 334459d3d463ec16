"""What controls show of each queue of a card."""

from __future__ import annotations

import re

import ipywidgets

from support.seen import parts
from xdplab.widgets import Controls


def queue_lines(controls: Controls) -> list[tuple[str, str, str]]:
    """Refresh controls, and return the name, rate and part of the RSS table of each queue shown."""
    controls.refresh()
    (table,) = (
        part
        for part in parts(controls)
        if isinstance(part, ipywidgets.HTML) and "xdplab-queues" in part.value
    )
    assert table.layout.display is None
    rows = re.findall("<tr>(.*?)</tr>", table.value)
    told = [re.findall("<td>(.*?)</td>", row) for row in rows]
    return [(name, rate, leads) for name, _bar, rate, leads in told]
