"""The doctor's findings as an HTML table, for the page and for its static picture."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from xdplab.doctor import Finding
from xdplab.doctor.finding import Verdict, outcome
from xdplab.widgets.style.palette import GREEN, ORANGE, VERMILLION

_COLORS: dict[Verdict, str] = {"good": GREEN, "limited": ORANGE, "missing": VERMILLION}
_CELL = "padding: 3px 10px 3px 0; vertical-align: top; text-align: left"
# One click selects all of it. Colours are JupyterLab's colours of code, if it has a theme.
_COMMAND = (
    "background: var(--jp-layout-color2, rgba(128, 128, 128, 0.15)); border-radius: 2px; "
    "color: inherit; font-family: var(--jp-code-font-family, monospace); font-size: 12px; "
    "padding: 1px 5px; user-select: all"
)

# Code that is no command of a shell, which backquotes mark: calls, settings, files, constants.
_CODE = re.compile(
    r"[A-Za-z_][\w.]*\((?!s\))[^()]*\)"
    r"|[A-Za-z_]\w*=[\w'\".,/:-]*[\w'\"](?: [A-Za-z_]\w*=[\w'\".,/:-]*[\w'\"])*"
    r"|/(?:dev|etc|proc|sys|usr|var)/[\w./-]*\w"
    r"|\b[A-Z]+(?:_[A-Z]+)+\b"
)


def headline(findings: Sequence[Finding]) -> str:
    """Return one line with the overall verdict and the number of findings of each kind."""
    counts = {verdict: sum(f.verdict == verdict for f in findings) for verdict in _COLORS}
    listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{outcome(findings)}: {listed}."


def table_html(findings: Sequence[Finding]) -> str:
    """Return a table with a row for each finding: what was seen, and the remedy below it.

    What is missing comes first, then what is limited. What is good is folded away, unless all is.
    Commands and other code are to be copied. Text and background have the page's colours.
    """
    order: list[Verdict] = ["missing", "limited"]
    troubles = [each for verdict in order for each in findings if each.verdict == verdict]
    good = [each for each in findings if each.verdict == "good"]
    if not troubles or not good:
        return _table(troubles or good)
    return (
        f'{_table(troubles)}<details><summary style="cursor: pointer; padding: 3px 0">'
        f"{len(good)} good</summary>{_table(good)}</details>"
    )


def _table(findings: Sequence[Finding]) -> str:
    rows = "".join(map(_row, findings))
    return (
        '<table style="border-collapse: collapse; font-size: 13px; line-height: 1.5; width: 100%">'
        f"<tbody>{rows}</tbody></table>"
    )


def _row(finding: Finding) -> str:
    mark = f'<span style="color: {_COLORS[finding.verdict]}">&#9679;</span>'
    remedy = f"<br>&rarr; {_marked(finding.remedy)}" if finding.remedy else ""
    return (
        '<tr style="background: none; border-top: 1px solid rgba(128, 128, 128, 0.25)">'
        f'<td style="{_CELL}; white-space: nowrap">{mark}&nbsp;{finding.verdict}</td>'
        f'<td style="{_CELL}; min-width: 11em"><b>{html.escape(finding.name)}</b></td>'
        f'<td style="{_CELL}; overflow-wrap: anywhere; width: 100%; white-space: normal">'
        f"{_marked(finding.seen)}{remedy}</td></tr>"
    )


def _marked(text: str) -> str:
    """Escape text, and mark as code the parts between backquotes, and what else is code."""
    parts = re.split(r"`([^`]*)`", text)
    return "".join(
        _code(part) if number % 2 else _with_code(part) for number, part in enumerate(parts)
    )


def _with_code(text: str) -> str:
    plain, code = _CODE.split(text), [*_CODE.findall(text), ""]
    return "".join(
        html.escape(words) + (_code(found) if found else "")
        for words, found in zip(plain, code, strict=True)
    )


def _code(text: str) -> str:
    return f'<code style="{_COMMAND}">{html.escape(text)}</code>'
