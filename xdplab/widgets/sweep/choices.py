"""The menus of the map: the metric, two knobs, and the values of the other knobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets

from xdplab.core.text import spaced
from xdplab.experiments.metrics import METRICS
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.sweep.cells import Choice, names


class Choices:
    """The menus and the present choice.

    Parameters
    ----------
    knobs
        The values of each knob of the sweep.
    metric
        The metric shown first.
    """

    def __init__(self, knobs: Mapping[str, Sequence[object]], metric: str) -> None:
        self.metric = _menu(
            "Metric", [(METRICS[name].label, name) for name in METRICS], metric, "250px"
        )
        options = [(spaced(name), name) for name in knobs]
        self.x = _menu("Along", options, options[0][1])
        self.y = _menu("Upwards", options, options[min(1, len(options) - 1)][1])
        self._others = {
            knob: _menu(
                spaced(knob),
                list(zip(names(values), range(len(values)), strict=True)),
                0,
            )
            for knob, values in knobs.items()
        }
        self._knobs = knobs
        self._before = (self.x.value, self.y.value)
        for menu in (self.x, self.y):
            menu.observe(lambda _change: self._keep_apart(), "value")
        self._keep_apart()
        several = [self.x, self.y] if len(knobs) > 1 else []
        self.row = ipywidgets.HBox(
            [self.metric, *several, *self._others.values()],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )
        """All menus."""

    @property
    def choice(self) -> Choice:
        """The present choice."""
        x, y = self.x.value, self.y.value if len(self._knobs) > 1 else None
        others = {
            knob: self._knobs[knob][menu.value]
            for knob, menu in self._others.items()
            if knob not in (x, y)
        }
        return Choice(self.metric.value, x, y, others)

    def _keep_apart(self) -> None:
        """Swap the axes if one was given the other's knob, and show the other knobs' menus."""
        x, y = self.x.value, self.y.value
        if x == y and len(self._knobs) > 1:
            old_x, old_y = self._before
            self._before = (x, old_x) if old_x != x else (old_y, y)
            self.x.value, self.y.value = self._before
            return
        self._before = (x, y)
        for knob, menu in self._others.items():
            menu.layout.display = "none" if knob in (x, y) else None


def _menu(
    words: str, options: Sequence[tuple[str, object]], value: object, width: str = "200px"
) -> ipywidgets.Dropdown:
    menu = ipywidgets.Dropdown(
        options=options,
        value=value,
        description=words,
        layout={"width": width},
        style={"description_width": "auto"},
    )
    follow_subshells(menu)
    return menu
