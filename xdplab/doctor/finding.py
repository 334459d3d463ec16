"""A finding, and the outcome of a list of findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from xdplab.core.checks import instance_of, items
from xdplab.core.errors import XdplabError
from xdplab.core.table import Table, Tabled

Verdict = Literal["good", "limited", "missing"]

CAPTURE = "capture"
"""The name of the finding that decides `can_capture`."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Parameters
    ----------
    name
        The subject of the check, such as ``"io_uring"``.
    verdict
        ``"good"``; ``"limited"``: captures work, but a part of them does not, or not as well as it
        could; ``"missing"``: features that need it can't work.
    seen
        The state found, in words.
    remedy
        The command or sentence that would help; empty when the verdict is good.
    """

    name: str
    verdict: Verdict
    seen: str
    remedy: str = ""


class Findings(Tabled, list[Finding]):
    """Findings, in the order of the checks."""

    def _table(self) -> Table:
        rows = [(each.verdict, each.name, each.seen) for each in self]
        remedies = [f"{each.name}: {each.remedy}" for each in self if each.remedy]
        return Table(f"{outcome(self)}.", rows, ("verdict", "check", "seen"), remedies)


def refused(name: str, verdict: Verdict, error: XdplabError) -> Finding:
    """Return a finding for an attempt that raised an error."""
    remedy = str(getattr(error, "remedy", ""))
    seen = str(error).removesuffix(remedy).rstrip(". ")
    return Finding(name, verdict, seen, remedy or "See what else is missing, and mend that first.")


def outcome(findings: Iterable[Finding]) -> str:
    """Return the outcome of the findings in one line, without a full stop."""
    several = listed(findings)
    if all(each.name != CAPTURE for each in several):
        return "Whether this machine captures with AF_XDP was not examined"
    if can_capture(several):
        return "This machine captures with AF_XDP"
    return "This machine can't capture with AF_XDP yet, and labs are simulated"


def listed(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings as a list; raise `ConfigurationError` if they are no findings."""
    wanted = "what xdplab.doctor.examine returned"
    several = items("findings", findings, "findings")
    return [instance_of("findings", each, Finding, wanted) for each in several]


def can_capture(findings: Iterable[Finding]) -> bool:
    """Return whether a real capture worked here."""
    return any(f.name == CAPTURE and f.verdict == "good" for f in listed(findings))


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return the findings for `json.dumps`.

    Returns
    -------
    dict
        ``can_capture``, and ``findings``: a list of ``{name, verdict, seen, remedy}``.
    """
    several = listed(findings)
    return {"can_capture": can_capture(several), "findings": [asdict(each) for each in several]}
