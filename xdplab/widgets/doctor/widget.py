"""The doctor's findings in a notebook: what xdplab can use on this machine, and remedies."""

from __future__ import annotations

import html
from collections.abc import Sequence

import ipywidgets

from xdplab import doctor
from xdplab.core.calls import public
from xdplab.core.checks import join_seconds
from xdplab.core.threads import Thread
from xdplab.widgets.base.closing import ClosesModels
from xdplab.widgets.base.subshells import follow_subshells
from xdplab.widgets.doctor.table import headline, table_html
from xdplab.widgets.pictures.picture import Bundle, Draw, follow_cells
from xdplab.widgets.style.sheet import SHEET


@public
class Doctor(ClosesModels, ipywidgets.VBox):  # type: ignore[misc]
    """The doctor's findings: each with its verdict and the command that would help.

    It examines the machine when made, which takes a second or two (`xdplab.doctor.examine`). *Look
    again* does so in the background. A grey box holds a command: a click selects all of it.

    Parameters
    ----------
    checks
        The checks to run, by name, as for `xdplab.doctor.examine`. Default: all.
    """

    findings: Sequence[doctor.Finding] = ()
    """The latest findings."""

    def __init__(self, checks: dict[str, doctor.Check] | None = None) -> None:
        self._checks = doctor.chosen(checks)
        self._said, self._table = ipywidgets.HTML(), ipywidgets.HTML()
        self._said.layout.min_width = "0"
        self._button = ipywidgets.Button(
            description="Look again", icon="refresh", layout={"width": "130px", "flex": "0 0 auto"}
        )
        self._button.on_click(lambda _button: self.look())
        follow_subshells(self._button)
        self._thread: Thread | None = None
        self._pictured: Sequence[doctor.Finding] = ()
        bar = ipywidgets.HBox([self._button, self._said], layout={"align_items": "center"})
        super().__init__([bar, self._table])
        # The style sheet hides the static picture beside a widget of this class.
        self.add_class("xdplab-live")
        self.look()
        self.wait()
        follow_cells()

    def __repr__(self) -> str:
        lines = [
            f"{each.verdict:<8}  {each.name}: {each.seen}"
            + (f"\n          -> {each.remedy}" if each.remedy else "")
            for each in self.findings
        ]
        return "\n".join([f"<Doctor: {headline(self.findings)}>", *lines])

    def look(self) -> None:
        """Examine the machine again, on a thread of its own."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._button.disabled = True
        self._said.value = "looking …"
        # pyroute2's netlink does not work on a thread with an event loop.
        self._thread = Thread(self._look, name="xdplab-doctor")
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of `look`, at most `timeout` seconds; return whether it ended."""
        if self._thread is None:
            return True
        self._thread.join(join_seconds("timeout", timeout))
        return not self._thread.is_alive()

    def static_picture(self) -> Draw | None:
        """Return a function that draws the findings; see `Pictured`."""
        findings = self.findings
        if findings is self._pictured:
            return None
        self._pictured = findings
        return lambda: _bundle(findings)

    def _look(self) -> None:
        self.findings = doctor.examine(self._checks)
        self._table.value = f"<style>{SHEET}</style>{table_html(self.findings)}"
        self._said.value = (
            '<div style="font-weight: 600; line-height: 1.4; margin-left: 8px">'
            f"{html.escape(headline(self.findings))}</div>"
        )
        self._button.disabled = False


def _bundle(findings: Sequence[doctor.Finding]) -> Bundle:
    return {
        "text/html": f'<div class="xdplab-picture"><b>{html.escape(headline(findings))}</b>'
        f"{table_html(findings)}</div>"
    }
