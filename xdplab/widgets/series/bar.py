"""The bar above a series of runs: buttons to run, stop and start over, progress, status."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets

from xdplab.experiments.background import Background
from xdplab.experiments.runs import Runs
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.style.palette import VERMILLION

_ROW = {"flex_flow": "row wrap", "align_items": "center"}


class SeriesBar:
    """Two buttons, a progress bar, and a line of words.

    Parameters
    ----------
    runner
        Makes the runs.
    forget
        Discards all results, so that all runs are made anew.
    """

    def __init__(self, runner: Background, forget: Callable[[], None]) -> None:
        self._runner, self._forget = runner, forget
        self._go = _button("Run", "play", self._run_or_stop)
        self._anew = _button("Start over", "refresh", self._start_over)
        self._anew.tooltip = "Forget what was measured, and take all runs again"
        self._progress = ipywidgets.IntProgress(layout={"width": "220px", "margin": "2px 12px"})
        self._words = ipywidgets.HTML()
        self.row = ipywidgets.HBox([self._go, self._anew, self._progress, self._words], layout=_ROW)
        """The whole bar."""

    def show(self, runs: Runs, doing: str, *, usable: bool) -> None:
        """Show the progress of the runs.

        Parameters
        ----------
        runs
            All runs.
        doing
            The present run, or empty.
        usable
            Whether runs are possible.
        """
        running, done, total = self._runner.running, runs.done, runs.total
        measured, refused, failed = (
            runs.count("measured"),
            runs.count("refused"),
            runs.count("failed"),
        )
        words = "Stop" if running else "Continue" if 0 < done < total else "Run"
        self._go.description, self._go.icon = words, "stop" if running else "play"
        self._go.disabled = self._runner.stopping or (not running and (done == total or not usable))
        self._anew.disabled = running or not done or not usable
        self._progress.max, self._progress.value = total, done
        if refused or failed:
            self._progress.bar_style = "warning" if measured else "danger"
        else:
            self._progress.bar_style = "success" if done == total else "info" if running else ""
        without = ((refused, "refused"), (failed, "failed"))
        unmeasured = [f"{count:,} {word}" for count, word in without if count]
        self._words.value = self._said(done, total, doing, unmeasured)

    def _said(self, done: int, total: int, doing: str, unmeasured: list[str]) -> str:
        said = [f"{done:,} of {total:,} runs", *unmeasured]
        if self._runner.stopping:
            said.append("stopping")
        elif doing:
            said.append(doing)
        elif 0 < done < total and not self._runner.running:
            said.append("stopped")
        line = f'<span style="margin-right: 8px">{html.escape(" · ".join(said))}</span>'
        if error := self._runner.error:
            line += f'<span style="color: {VERMILLION}">&#9679;</span> {html.escape(error)}'
        style = "line-height: 1.4; font-variant-numeric: tabular-nums"
        return f'<div style="{style}"><span class="xdplab-state"><span>{line}</span></span></div>'

    def _run_or_stop(self) -> None:
        if self._runner.running:
            self._runner.stop()
        else:
            self._runner.start()

    def _start_over(self) -> None:
        if not self._runner.running:
            self._forget()
            self._runner.start()


def _button(words: str, icon: str, press: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=words, icon=icon, layout={"width": "110px"})
    button.on_click(lambda _button: press())
    follow_subshells(button)
    return button
