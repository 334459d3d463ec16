"""Long text in a notebook, folded away until it is clicked."""

from __future__ import annotations

import html
import sys
from typing import Any

_STYLE = "color: var(--jp-ui-font-color1, inherit); font-size: 13px"
_TEXT = "max-height: 40em; overflow: auto; font-size: 12px; line-height: 1.3"


def show_folded(title: str, text: str) -> None:
    """Show text in a notebook's output, folded away. Elsewhere nothing is shown."""
    ipython: Any = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython else None
    if not hasattr(shell, "kernel") or not text:
        return
    shown = folded(title, text)
    shell.display_pub.publish({"text/html": shown, "text/plain": title})


def folded(title: str, text: str) -> str:
    """Return it as HTML."""
    return (
        f'<details class="xdplab-folded" style="{_STYLE}"><summary>{html.escape(title)}</summary>'
        f'<pre style="{_TEXT}">{html.escape(text)}</pre></details>'
    )
