"""Rules of the gallery's filter, edited while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ipywidgets

from xdplab.core.calls import public
from xdplab.core.checks import instance_of
from xdplab.core.errors import XdplabError
from xdplab.core.locks import new_lock
from xdplab.core.text import counted
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.filter_rules.row import VERDICT_WIDTH, RuleRow
from xdplab.widgets.live.presence import Presence
from xdplab.widgets.parts.control import Control
from xdplab.widgets.pictures.picture import Bundle, Draw, follow_cells
from xdplab.xdp.filter_rules import VERDICTS, FilterRules, Rule

MOST_ROWS = 50
"""Rules that the list shows; each is several models in the browser."""

_INTERVAL = 0.5  # seconds from one reading to the next


@public
class RuleEditor(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """The rules of the gallery's filter, each with its packets: added, turned and removed.

    It shows what `rules` holds, whoever changes it, at most 50 rules of it.

    Parameters
    ----------
    rules
        The rules.
    """

    def __init__(self, rules: FilterRules) -> None:
        wanted = "FilterRules: FilterRules(program)"
        self.rules = instance_of("rules", rules, FilterRules, wanted)
        """The rules."""
        self._lock = new_lock()  # held while the list is made anew
        self._rows: dict[str, RuleRow] = {}
        self._read_at = 0.0
        self._pictured = ""
        self._is_telling = False
        self._about = ipywidgets.Text(
            placeholder="198.18.0.0/15, 2001:db8::/32, udp 9", layout={"width": "256px"}
        )
        self._verdict = ipywidgets.Dropdown(
            options=VERDICTS, tooltip="Verdict", layout={"width": VERDICT_WIDTH}
        )
        add = ipywidgets.Button(description="Set rule", layout={"width": "110px"})
        self._otherwise = ipywidgets.Dropdown(
            options=VERDICTS, description="otherwise", layout={"width": "200px"}
        )
        add.on_click(lambda _button: self._try(self._add))
        self._about.on_msg(self._entered)
        self._otherwise.observe(self._chosen, "value")
        for each in (self._verdict, add, self._otherwise):
            follow_subshells(each)
        self._control = Control(self._about, self._verdict, add, self._otherwise)
        self._list = ipywidgets.VBox(layout={"max_width": "640px"})
        self._more = ipywidgets.HTML()
        seen = Presence(self._beat, lambda error: self._control.say(str(error)))
        super().__init__([self._control, self._list, self._more, seen])
        # The style sheet hides the static picture beside a widget of this class.
        self.add_class("xdplab-live")
        self._show()
        follow_cells()

    def __repr__(self) -> str:
        return f"<RuleEditor: {self.rules!r}>"

    def static_picture(self) -> Draw | None:
        """Return a function that draws the rules; see `Pictured`."""
        drawn = self.rules._table().html()
        if drawn == self._pictured:
            return None
        self._pictured = drawn
        return lambda: _bundle(drawn)

    def close(self) -> None:
        """Close the widget; the program runs on."""
        super().close()
        for row in getattr(self, "_rows", {}).values():
            row.close()

    def _entered(self, _text: object, message: dict[str, Any], _buffers: object) -> None:
        if message.get("event") == "submit":  # the Enter key
            self._try(self._add)

    def _add(self) -> None:
        self.rules[self._about.value] = self._verdict.value
        self._about.value = ""

    def _turn(self, about: str, verdict: str) -> None:
        self._try(lambda: self.rules.__setitem__(about, verdict))

    def _remove(self, about: str) -> None:
        self._try(lambda: self.rules.pop(about, None))

    def _chosen(self, change: dict[str, Any]) -> None:
        if not self._is_telling:
            self._try(lambda: setattr(self.rules, "otherwise", change["new"]))

    def _try(self, change: Callable[[], object]) -> None:
        try:
            change()
            self._control.say("")
        except XdplabError as error:
            self._control.say(str(error))
        self._show()

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._read_at >= _INTERVAL:
            self._read_at = now
            self._show()

    def _show(self) -> None:
        with self._lock:
            try:
                found, otherwise = dict(self.rules.items()), self.rules.otherwise
            except XdplabError as error:
                self._control.say(str(error))
                return
            self._show_rules(found)
            self._is_telling = True
            try:
                self._otherwise.value = otherwise
            finally:
                self._is_telling = False

    def _show_rules(self, found: dict[str, Rule]) -> None:
        shown = list(found)[:MOST_ROWS]
        gone = [self._rows.pop(about) for about in list(self._rows) if about not in shown]
        for about in shown:
            if about not in self._rows:
                self._rows[about] = RuleRow(about, self._turn, self._remove)
            self._rows[about].show(found[about])
        rows = tuple(self._rows[about] for about in shown)
        if rows != self._list.children:
            self._list.children = rows
        for row in gone:
            row.close()
        more = len(found) - len(shown)
        self._more.value = f"{counted(more, 'more rule')}: print(rules)" if more else ""


def _bundle(drawn: str) -> Bundle:
    return {"text/html": f'<div class="xdplab-picture">{drawn}</div>'}
