"""A rule of the filter: its words, its verdict, its packets, and a button that removes it."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets

from xdplab.widgets.base.models import models_of
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.xdp.filter_rules import VERDICTS, Rule

VERDICT_WIDTH = "110px"
"""Width of a menu of verdicts."""

_ABOUT = {"flex": "1 1 0", "min_width": "0"}
_PACKETS, _BUTTON = {"flex": "0 0 110px"}, {"flex": "0 0 44px"}
_WORDS = "background: none; color: inherit; overflow-wrap: anywhere; white-space: normal"

_NUMBER = "text-align: right; padding-right: 12px; font-variant-numeric: tabular-nums"


class RuleRow(ipywidgets.HBox):  # type: ignore[misc]
    """One rule in the list.

    Parameters
    ----------
    words
        What it is about.
    turn
        Called with the words and a verdict that was chosen.
    remove
        Called with the words.
    """

    def __init__(
        self, words: str, turn: Callable[[str, str], None], remove: Callable[[str], None]
    ) -> None:
        self._words, self._turn = words, turn
        self._is_telling = False
        self._verdict = ipywidgets.Dropdown(
            options=VERDICTS, tooltip=f"{words}: verdict", layout={"flex": f"0 0 {VERDICT_WIDTH}"}
        )
        self._verdict.observe(self._chosen, "value")
        self._packets = ipywidgets.HTML(layout=_PACKETS)
        taken_away = ipywidgets.Button(icon="times", tooltip=f"Remove {words}", layout=_BUTTON)
        taken_away.on_click(lambda _button: remove(words))
        for each in (self._verdict, taken_away):
            follow_subshells(each)
        code = f'<code style="{_WORDS}">{html.escape(words)}</code>'
        named = ipywidgets.HTML(code, layout=_ABOUT)
        named.add_class("xdplab-half")
        super().__init__([named, self._verdict, self._packets, taken_away])

    def show(self, rule: Rule) -> None:
        """Show the rule as it is now."""
        self._is_telling = True
        try:
            self._verdict.value = rule.verdict
        finally:
            self._is_telling = False
        self._packets.value = f'<div style="{_NUMBER}">{rule.packets:,}</div>'

    def close(self) -> None:
        """Close the row, and all that is in it."""
        for model in [*models_of(self)]:
            if model is not self:
                model.close()
        super().close()

    def _chosen(self, change: dict[str, Any]) -> None:
        if not self._is_telling:
            self._turn(self._words, change["new"])
