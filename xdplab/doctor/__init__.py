"""Checks what xdplab can use on this machine, what is missing, and which command would help.

A check is a function that yields findings. If possible it tries the feature itself instead of
reading a version, since containers, distributions and security modules change what a version has.
A new check is one function, in the file of its subject, and one line in `CHECKS`.

No check changes a real interface; it only reads its state. Where the user names one, zero-copy is
tried there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from xdplab.core.calls import public_function
from xdplab.core.checks import callable_of, mapping, text
from xdplab.core.errors import XdplabError
from xdplab.doctor import capture, interfaces, kernel, machine, sandbox, software, steering
from xdplab.doctor.finding import CAPTURE, Finding, Findings, as_json, can_capture, refused
from xdplab.doctor.report import report
from xdplab.doctor.zero_copy import check_name, zero_copy

__all__ = ["CHECKS", "Check", "Finding", "as_json", "can_capture", "examine", "report"]

Check = Callable[[], Iterable[Finding]]

CHECKS: dict[str, Check] = {
    "kernel": kernel.version,
    "AF_XDP sockets": kernel.af_xdp_sockets,
    "network namespaces": kernel.network_namespaces,
    "capabilities": kernel.capabilities,
    "locked memory": kernel.locked_memory,
    "io_uring": sandbox.io_uring,
    "user namespaces": sandbox.user_namespaces,
    "container": sandbox.container,
    "BTF": kernel.btf,
    "softirq time": kernel.softirq_time,
    "XDP objects": software.xdp_objects,
    "clang": software.clang,
    "notebook packages": software.notebook_packages,
    "ping": software.ping,
    "cores": machine.cores,
    "CPU governor": machine.governor,
    "isolated cores": machine.isolated_cores,
    "interfaces": interfaces.interfaces,
    "steering": steering.steering,
    "backends": capture.backends,
    CAPTURE: capture.capture,
}
"""Every check by name, also the name of its finding if it fails; the decisive one is last."""


def chosen(checks: dict[str, Check] | None) -> dict[str, Check]:
    """Return the checks to run: `CHECKS` for None.

    Raises
    ------
    ConfigurationError
        If it is not a mapping of checks.
    """
    if checks is None:
        return CHECKS
    named = mapping("checks", checks, "checks by their names")
    return {name: callable_of("checks", check) for name, check in named.items()}


@public_function
def examine(checks: dict[str, Check] | None = None, *, interface: str = "") -> Findings:
    """Run all checks, which takes about a second.

    Parameters
    ----------
    checks
        The checks to run, by name. Default: `CHECKS`.
    interface
        The name of a real interface on which zero-copy is tried, too. For that it has an XDP
        program for a moment, for which some drivers set their link up anew. By default none.

    Returns
    -------
    list of Finding
        The findings in the order of the checks, shown as a table. A check that fails gives a
        finding too.
    """
    findings = Findings()
    wanted = dict(chosen(checks))
    if name := text("interface", interface):
        wanted[check_name(name)] = partial(zero_copy, name)
    for name, check in wanted.items():
        try:
            findings.extend(check())
        except XdplabError as error:
            findings.append(refused(name, "missing", error))
        except Exception as error:  # the other findings still count
            seen = f"could not be examined: {type(error).__name__}: {error}"
            remedy = "The doctor does not know this case: report it, with this line."
            findings.append(Finding(name, "missing", seen, remedy))
    return findings
