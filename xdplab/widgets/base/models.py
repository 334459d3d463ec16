"""Finds the models of widgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ipywidgets


def models_of(*widgets: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Find widgets, and all models in their state: children, layout, style, and theirs."""
    found, waiting = set(), list(widgets)
    while waiting:
        model = waiting.pop()
        if model.comm is None or model in found:
            continue
        found.add(model)
        yield model
        for name in model.keys:
            waiting += _models_in(getattr(model, name))


def _models_in(value: object) -> Iterator[ipywidgets.Widget]:
    if isinstance(value, ipywidgets.Widget):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _models_in(each)
    elif isinstance(value, Mapping):
        yield from _models_in(list(value.values()))
