"""What this machine can do for xdplab, what is in the way, and the command that would help.

A check is a function that yields findings. Wherever it can, it tries the thing itself instead of
reading a version: containers, distributions and security modules all make versions lie. Another
check is one function, in the file of what it looks at, and one line in `CHECKS`.

Nothing here touches a real interface; they are only looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from xdplab.core.checks import callable_of, mapping
from xdplab.core.errors import XdplabError
from xdplab.doctor import capture, interfaces, kernel, machine, sandbox, software
from xdplab.doctor.finding import CAPTURE, Finding, as_json, can_capture, refused
from xdplab.doctor.report import report

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
    "backends": capture.backends,
    CAPTURE: capture.capture,
}
"""Every check, under the name that its finding has too if it fails; the telling one comes last."""


def chosen(checks: dict[str, Check] | None) -> dict[str, Check]:
    """Return the checks that are meant: `CHECKS` for None.

    Raises
    ------
    ConfigurationError
        For what is no mapping of checks.
    """
    if checks is None:
        return CHECKS
    named = mapping("checks", checks, "checks by their names")
    return {name: callable_of("checks", check) for name, check in named.items()}


def examine(checks: dict[str, Check] | None = None) -> list[Finding]:
    """Look at everything, which takes about a second.

    Parameters
    ----------
    checks
        What to look at, by name: `CHECKS` unless told otherwise.

    Returns
    -------
    list of Finding
        In the order of the checks. A check that fails is a finding too.
    """
    findings: list[Finding] = []
    for name, check in chosen(checks).items():
        try:
            findings.extend(check())
        except XdplabError as error:
            findings.append(refused(name, "missing", error))
        except Exception as error:  # whatever this machine is like, the other findings still count
            seen = f"could not be examined: {type(error).__name__}: {error}"
            remedy = "The doctor does not know this case: report it, with this line."
            findings.append(Finding(name, "missing", seen, remedy))
    return findings
