"""A finding, and what a list of them says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from xdplab.core.checks import instance_of, items
from xdplab.core.errors import XdplabError

Verdict = Literal["good", "limited", "missing"]

CAPTURE = "capture"
"""The name of the finding on which `can_capture` stands."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    name
        What was looked at, such as ``"io_uring"``.
    verdict
        ``"good"``; ``"limited"``: captures work, but something of theirs does not, or is less than
        it could be; ``"missing"``: what needs it can't work.
    seen
        What there is, in words.
    remedy
        The command or sentence that would help; empty when the verdict is good.
    """

    name: str
    verdict: Verdict
    seen: str
    remedy: str = ""


def refused(name: str, verdict: Verdict, error: XdplabError) -> Finding:
    """Make a finding of what was tried in vain."""
    remedy = str(getattr(error, "remedy", ""))
    seen = str(error).removesuffix(remedy).rstrip(". ")
    return Finding(name, verdict, seen, remedy or "See what else is missing, and mend that first.")


def outcome(findings: Iterable[Finding]) -> str:
    """Say in a line, without a full stop, what they come to."""
    if can_capture(findings):
        return "This machine captures with AF_XDP"
    return "This machine can't capture with AF_XDP yet, and labs are simulated"


def listed(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings as a list, or raise `ConfigurationError` for what are none."""
    wanted = "what xdplab.doctor.examine returned"
    several = items("findings", findings, "findings")
    return [instance_of("findings", each, Finding, wanted) for each in several]


def can_capture(findings: Iterable[Finding]) -> bool:
    """Tell whether a real capture works here, since one did."""
    return any(f.name == CAPTURE and f.verdict == "good" for f in listed(findings))


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """Lay out the findings for `json.dumps`.

    Returns
    -------
    dict
        ``can_capture``, and ``findings``: a list of ``{name, verdict, seen, remedy}``.
    """
    several = listed(findings)
    return {"can_capture": can_capture(several), "findings": [asdict(each) for each in several]}
