"""Checks of installed software: xdplab's XDP programs, the notebook's packages, clang, ping."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from xdplab.doctor.finding import Finding
from xdplab.native.objects import program_path

XDP_OBJECTS = ("capture", "capture_metadata", "count", "drops", "generate", "softirq")
_ELF_FOR_BPF = 247  # EM_BPF of linux/elf-em.h

_SUBSHELLS = "controls answer while a cell runs (subshells)"
_PURPOSES = {
    "jupyterlab": _SUBSHELLS,
    "ipykernel": _SUBSHELLS,
    "numba": "compiles handlers",
    "python-pcapng": "saves sampled frames for Wireshark",
    "scapy": "dissects sampled frames",
}
_PING = ("ping", "-n", "-q", "-c", "1", "-W", "1", "127.0.0.1")


def xdp_objects() -> Iterator[Finding]:
    """Check that the package has its compiled XDP programs."""
    broken = [name for name in XDP_OBJECTS if not _is_bpf(Path(program_path(name).decode()))]
    if broken:
        seen = f"not there, or not for BPF: {', '.join(broken)}"
        remedy = "Install xdplab again; from its source tree, `make demo` builds all of it."
        yield Finding("XDP objects", "missing", seen, remedy)
    else:
        yield Finding("XDP objects", "good", f"{', '.join(XDP_OBJECTS)} are there")


def notebook_packages(required: dict[str, str] | None = None) -> Iterator[Finding]:
    """Compare the installed packages with those that the notebook needs.

    Parameters
    ----------
    required
        Least version by package name. Default: those of the extra "notebook".
    """
    required = _notebook_extra() if required is None else required
    for name, least in required.items():
        install = f"`{sys.executable} -m pip install '{name}>={least}'`"
        purpose = _PURPOSES.get(name, "live figures and controls")
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            seen = f"not installed beside xdplab; it is for notebooks: {purpose}"
            yield Finding(name, "missing", seen, f"{install}. A capture in a terminal needs none.")
            continue
        if _numbers(installed) >= _numbers(least):
            yield Finding(name, "good", installed)
        else:
            yield Finding(name, "limited", f"{installed}; from {least} on {purpose}", install)


def clang(command: str = "clang") -> Iterator[Finding]:
    """Check whether the compiler can compile XDP programs.

    Parameters
    ----------
    command
        The compiler's name or path.
    """
    remedy = "`sudo apt install clang`, to compile your own XDP programs; xdplab's are built."
    try:
        said = [
            subprocess.run(
                (command, option), capture_output=True, text=True, timeout=10, check=True
            )
            for option in ("--version", "-print-targets")
        ]
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("clang", "limited", f"could not be run: {error}", remedy)
        return
    version, targets = (each.stdout for each in said)
    if re.search(r"^ *bpf\b", targets, re.MULTILINE):
        yield Finding("clang", "good", version.splitlines()[0])
    else:
        yield Finding("clang", "limited", f"{version.splitlines()[0]}, without BPF", remedy)


def ping() -> Iterator[Finding]:
    """Ping the loopback interface."""
    try:
        done = subprocess.run(_PING, capture_output=True, text=True, timeout=5, check=False)
        said = " ".join((done.stderr or done.stdout).split())
        fault = done.returncode and (said or f"exit status {done.returncode}")
    except (OSError, subprocess.TimeoutExpired) as error:
        # If its file has more capabilities than the process may get, it can't be started.
        fault = str(error)
    if fault:
        remedy = "`sudo apt install iputils-ping`, and allow it CAP_NET_RAW. Captures do without."
        yield Finding("ping", "limited", f"could not ping 127.0.0.1: {fault}", remedy)
    else:
        yield Finding("ping", "good", "127.0.0.1 answers")


def _is_bpf(path: Path) -> bool:
    try:
        start = path.read_bytes()[:20]
    except OSError:
        return False
    machine = int.from_bytes(start[18:20], sys.byteorder)
    return start.startswith(b"\x7fELF") and machine == _ELF_FOR_BPF


def _notebook_extra() -> dict[str, str]:
    """Read the list of packages from xdplab's metadata, which come from pyproject.toml."""
    pattern = re.compile(r"""([\w.-]+) *>= *([\d.]+) *; *extra *== *["']notebook["']""")
    found = (pattern.match(line) for line in metadata.requires("xdplab") or ())
    return {match[1]: match[2] for match in found if match}


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.findall(r"\d+", version)[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))
