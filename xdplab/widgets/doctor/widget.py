"""What this machine can do for xdplab, and what would help, in a notebook."""

from __future__ import annotations

import html
import threading
from collections.abc import Sequence

import ipywidgets

from xdplab import doctor
from xdplab.core.checks import join_seconds
from xdplab.widgets.doctor.table import headline, table_html
from xdplab.widgets.live.subshells import follow_subshells
from xdplab.widgets.pictures.picture import STYLE, Bundle, Draw, follow_cells


class Doctor(ipywidgets.VBox):  # type: ignore[misc]
    """The doctor's findings: each with its verdict, and with the command that would help.

    Making one takes the second or two that `xdplab.doctor.examine` takes, and so does *Look again*,
    which keeps nothing waiting. What stands in a grey box is a command: a click marks all of it.

    Parameters
    ----------
    checks
        What to look at, by name, as `xdplab.doctor.examine` takes it: all unless told otherwise.
    """

    findings: Sequence[doctor.Finding]
    """What was found last."""

    def __init__(self, checks: dict[str, doctor.Check] | None = None) -> None:
        self._checks = doctor.chosen(checks)
        self._said, self._table = ipywidgets.HTML(), ipywidgets.HTML()
        self._table.layout.width = "100%"
        self._button = ipywidgets.Button(
            description="Look again", icon="refresh", layout={"width": "130px", "flex": "0 0 auto"}
        )
        self._button.on_click(lambda _button: self.look())
        follow_subshells(self._button)
        self._thread: threading.Thread | None = None
        self._pictured: Sequence[doctor.Finding] = ()
        self.findings = ()
        bar = ipywidgets.HBox([self._button, self._said], layout={"align_items": "center"})
        super().__init__([bar, self._table])
        # By which its static picture is hidden beside it.
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
        """Look at everything once more, on a thread of its own."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._button.disabled = True
        self._said.value = "looking …"
        # Netlink, too, works on no thread that has an event loop.
        self._thread = threading.Thread(target=self._look, name="xdplab-doctor", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has looked, at most so many seconds; say whether it has."""
        if self._thread is None:
            return True
        self._thread.join(join_seconds("timeout", timeout))
        return not self._thread.is_alive()

    def static_picture(self) -> Draw | None:
        """Take the findings, for a page without a kernel; see `Pictured`."""
        findings = self.findings
        if findings is self._pictured:
            return None
        self._pictured = findings
        return lambda: _bundle(findings)

    def _look(self) -> None:
        self.findings = doctor.examine(self._checks)
        self._table.value = f"<style>{STYLE.read_text()}</style>{table_html(self.findings)}"
        self._said.value = f'<b style="margin-left: 8px">{html.escape(headline(self.findings))}</b>'
        self._button.disabled = False


def _bundle(findings: Sequence[doctor.Finding]) -> Bundle:
    return {
        "text/html": f'<div class="xdplab-picture"><b>{html.escape(headline(findings))}</b>'
        f"{table_html(findings)}</div>"
    }
