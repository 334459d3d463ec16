"""A ledger of an engine's packets, live: as a flow, and in words."""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING, cast

import ipywidgets

from xdplab.core.calls import public
from xdplab.core.checks import is_a
from xdplab.core.errors import ConfigurationError
from xdplab.core.locks import new_lock
from xdplab.ledger.account import Account
from xdplab.ledger.ledger import Ledger
from xdplab.ledger.subjects import check_engine, check_traffic
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.ledger.feeds import LedgerFeeds
from xdplab.widgets.ledger.figure import ledger_figure
from xdplab.widgets.ledger.flow import flow_of
from xdplab.widgets.ledger.layout import THINNEST, lay_out
from xdplab.widgets.ledger.reader import LedgerReader, Reading
from xdplab.widgets.live_figure import LiveFigure
from xdplab.widgets.parts.engine_view import EngineView, State, status_html

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic

_DRAWING_INTERVAL = 0.15  # seconds; so every second beat of the pump draws

_SCALE = (
    "Widths show packets in proportion to each other; what would be thinner than "
    f"{THINNEST:.0f} pixels is drawn {THINNEST:.0f} pixels wide."
)


@public
class LedgerView(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """A ledger of all packets since it began: a flow from sent to delivered, and in words.

    Losses branch off with their reason, and so do packets in flight and a remainder that no count
    explains. Below is the text of `Account.explain`, with the knob that would help.

    The widget begins an `xdplab.Ledger` of its own unless it is given one. It reads the ledger
    twice a second, for about 1 % of a core, and rarely while no count changes. It keeps neither
    the engine nor the generator alive.

    Parameters
    ----------
    engine
        The engine, running or stopped; or an `xdplab.Ledger` of it, which keeps its start.
    traffic
        The generator, if any: without it the ledger begins at the device. The caller must keep it
        alive.

    Raises
    ------
    ConfigurationError
        When both an `xdplab.Ledger`, which has its own generator, and a generator are given.
    ClosedError
        When the engine was closed.
    """

    def __init__(self, engine: Engine | Ledger, traffic: Traffic | None = None) -> None:
        if not is_a(engine, Ledger):
            check_engine(engine)
        check_traffic(traffic)
        if isinstance(engine, Ledger) and traffic is not None:
            raise ConfigurationError(
                "this ledger has its generator already, from when it began. Give the engine "
                "instead, or no traffic."
            )
        ledger = engine if isinstance(engine, Ledger) else Ledger(engine, traffic)
        self._view = EngineView(cast("Engine", ledger.engine))
        self._reader = LedgerReader(ledger)
        self._feeds = LedgerFeeds()
        self._lock = new_lock()  # held while a reading is shown
        self._drawn = 0.0
        self._shown: tuple[object, ...] = ()
        self._status, self._words = ipywidgets.HTML(), ipywidgets.HTML()
        button = ipywidgets.Button(
            description="Begin anew",
            tooltip="Count from now on",
            layout={"width": "110px", "flex": "0 0 auto"},
        )
        button.on_click(lambda _button: self.begin_anew())
        follow_subshells(button)
        self._button = button
        self._figure = LiveFigure(
            ledger_figure(),
            self._feeds.feeds,
            rollover=0,
            on_beat=self._beat,
            description=f"the ledger of {self._view.label}",
            simulated=self._view.simulated,
        )
        super().__init__(
            [
                ipywidgets.HBox([button, self._status], layout={"align_items": "center"}),
                self._figure,
                self._words,
            ]
        )
        self._show()

    def __repr__(self) -> str:
        reading = self._reader.read()
        state = self._state(reading)
        return (
            f"<LedgerView: {self._view.label}, {state.words}>\n{reading.account}\n{_words(reading)}"
        )

    @property
    def account(self) -> Account:
        """The ledger, read now; the last reading if the engine is closed."""
        return self._reader.read().account

    def begin_anew(self, traffic: Traffic | None = None) -> None:
        """Begin a new ledger, which counts from now on.

        Parameters
        ----------
        traffic
            The generator, if it has changed.
        """
        check_traffic(traffic)
        self._reader.begin_anew(traffic)
        self._show()

    # On the pump's thread, or on that of who begins anew.

    def _beat(self) -> None:
        now = time.monotonic()
        if not self._figure.watched:  # for a static picture, which shows this moment
            self._reader.read()
            self._show()
        elif now - self._drawn >= _DRAWING_INTERVAL:
            self._drawn = now
            self._reader.look()
            self._show()

    def _show(self) -> None:
        with self._lock:
            self._show_reading(self._reader.reading)

    def _show_reading(self, reading: Reading) -> None:
        self._button.disabled = self._view.engine is None
        state = self._state(reading)
        shown = (reading, state)
        if shown == self._shown:
            return
        self._shown = shown
        flow = flow_of(
            reading.account, generates=reading.generates, multi_buffer=reading.multi_buffer
        )
        for model, properties in self._feeds.draw(lay_out(flow)).items():
            self._figure.set(model, **properties)
        self._status.value = status_html(self._view, state)
        self._words.value = _words_html(reading)

    def _state(self, reading: Reading) -> State:
        state, account = self._view.state(), reading.account
        parts = [state.words, f"since {time.strftime('%H:%M:%S', time.localtime(reading.begun))}"]
        if self._reader.problem and self._view.engine is not None:
            parts += [self._reader.problem]
        if account.unaccounted:
            parts += [f"{account.unaccounted:,} {account.remainder}"]
        elif not account.situation.flowing and any(line.packets for line in account.stages):
            parts += ["settled: every packet accounted for"]
        return State(" · ".join(parts), state.severity)


def _words(reading: Reading) -> str:
    return reading.account.explain()


def _words_html(reading: Reading) -> str:
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in _words(reading).splitlines())
    return (
        '<div style="line-height: 1.5; max-width: 90ch"><ul style="margin: 4px 0; padding-left: '
        f'20px">{lines}</ul><span style="font-size: 11px; opacity: 0.7">{_SCALE}</span></div>'
    )
