"""The layout of an engine's controls: in groups, beside or below each other."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence

import ipywidgets

from xdplab.knobs.row import Home
from xdplab.knobs.table import KNOBS
from xdplab.settings.presets import PRESETS
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.parts.control import Control
from xdplab.widgets.parts.engine_view import EngineView, State, status_html

_BORDER = "1px solid var(--jp-border-color2, #9e9e9e)"
_GROUP = {
    "border": _BORDER,
    "padding": "2px 10px 8px 10px",
    "margin": "0 8px 8px 0",
    "flex": "1 1 auto",  # the last group of a column ends where the other column does
}
# Beside each other if there is room for both, else below each other.
_COLUMN = {"flex": "1 1 330px", "min_width": "300px"}
_NO_NAPI = (
    "The kernel names no NAPI instance here, as there is none behind a simulated interface. Else "
    "it takes Linux 6.13, and on veth an XDP program that is attached natively, or GRO."
)

Pressed = Callable[[object], None]


class Panel:
    """The groups of controls, the buttons, and lines of text below with the outcome.

    Parameters
    ----------
    controls
        The controls by knob.
    queues
        What arrives on each queue of the card.
    on_traffic
        Called when the button that starts and stops the generator is pressed; None: no button.
    on_preset
        Likewise for the button of each preset.
    on_undo
        Likewise for the undo button.
    """

    def __init__(
        self,
        controls: Mapping[str, Control],
        queues: ipywidgets.HTML,
        *,
        on_traffic: Pressed | None,
        on_preset: Mapping[str, Pressed],
        on_undo: Pressed,
    ) -> None:
        def chosen(group: Home) -> list[Control]:
            return [control for name, control in controls.items() if KNOBS[name].group == group]

        self._controls = list(controls.values())
        self._traffic = _button("Start", on_traffic) if on_traffic else None
        self._presets = [
            _button(name[0].upper() + name[1:], pressed) for name, pressed in on_preset.items()
        ]
        self._undo = _button("Undo", on_undo, "undo")
        self._no_napi = ipywidgets.HTML(_small(_NO_NAPI))
        self._status = ipywidgets.HTML()
        for button, name in zip(self._presets, on_preset, strict=True):
            button.tooltip = PRESETS[name].why

        of_traffic = chosen("traffic")
        self._short = ipywidgets.HTML() if of_traffic else None
        beside = [_group("NAPI", [*chosen("napi"), self._no_napi])]
        self._of_card = chosen("steering")
        self._card = _group("Card", [*self._of_card, queues])
        beside.append(self._card)
        if self._short is not None:
            beside.insert(0, _group("Traffic", [*of_traffic, self._short], self._traffic))
        columns = [
            ipywidgets.VBox([_group("Worker", chosen("engine"))], layout=_COLUMN),
            ipywidgets.VBox(beside, layout=_COLUMN),
        ]
        row = {"flex_flow": "row wrap", "align_items": "center"}
        self.rows = [
            ipywidgets.HBox(columns, layout={"flex_flow": "row wrap"}),
            ipywidgets.HBox([_title("Presets"), *self._presets, self._undo], layout=row),
            self._status,
        ]

    def show(
        self,
        view: EngineView,
        state: State,
        note: str,
        *,
        usable: bool,
        traffic_runs: bool | None,
        short: str,
        undoes: str,
    ) -> None:
        """Show the state, the note and the buttons.

        Parameters
        ----------
        view, state
            The engine and its state.
        note
            A sentence below that, or empty.
        usable
            Whether there is an engine to control.
        traffic_runs
            Whether the generator runs; None where it was closed.
        short
            A phrase that says that it sends less than asked, or empty.
        undoes
            The change that the undo button would revert; empty if none.
        """
        if not usable:
            for control in self._controls:
                control.disabled = True
        for button in self._presets:
            button.disabled = not usable
        self._undo.disabled = not usable or not undoes
        self._undo.tooltip = f"Undo {undoes}" if undoes else "Nothing to undo"
        if self._traffic is not None:
            self._traffic.disabled = traffic_runs is None
            self._traffic.description = "Stop" if traffic_runs else "Start"
            self._traffic.icon = "stop" if traffic_runs else "play"
        if self._short is not None:
            self._short.value = _small(f"{short[0].upper()}{short[1:]}.") if short else ""
        self._status.value = status_html(view, state) + (_small(note) if note else "")

    def show_napi(self, exists: bool) -> None:
        """Show a note if the queue has no NAPI settings."""
        self._no_napi.layout.display = "none" if exists else None

    def show_card(self, has_queues: bool) -> None:
        """Show the group of the card, if that has settings or several queues."""
        self._card.layout.display = None if self._of_card or has_queues else "none"


def _group(
    title: str, members: Sequence[ipywidgets.DOMWidget], button: ipywidgets.Button | None = None
) -> ipywidgets.VBox:
    head = [_title(title)] if button is None else [_title(title), button]
    row = {"justify_content": "space-between", "align_items": "center", "min_height": "32px"}
    return ipywidgets.VBox([ipywidgets.HBox(head, layout=row), *members], layout=_GROUP)


def _title(text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f'<b style="margin-right: 12px">{text}</b>')


def _small(text: str) -> str:
    return (
        f'<div style="line-height: 1.4; padding-left: 4px; opacity: 0.85">{html.escape(text)}</div>'
    )


def _button(text: str, pressed: Pressed, icon: str = "") -> ipywidgets.Button:
    button = ipywidgets.Button(description=text, icon=icon, layout={"width": "110px"})
    button.on_click(pressed)
    follow_subshells(button)
    return button
