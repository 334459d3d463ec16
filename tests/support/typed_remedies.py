"""Provoking errors, in this process and in others, and typing what their remedies say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from xdplab import Engine, KernelError, XdplabError

_PRELUDE = """
    import errno, json, os, resource, socket, time
    from pathlib import Path
    from support.refused_calls import *
    from support.typed_remedies import *
    from xdplab import *
"""

Row = tuple[int, int]
"""Of the table of errors: a step of the engine's work, and an errno."""

TRIALS: dict[Row, Callable[[], None]] = {}
"""What provokes the error of each row, does what its remedy says, and sees it gone."""


def provokes(step: int, code: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Mark the trial of a row."""

    def mark(trial: Callable[[], None]) -> Callable[[], None]:
        TRIALS[step, code] = trial
        return trial

    return mark


def refusal(code: int, call: Callable[[], object]) -> str:
    """Return the remedy of the error that a call raises."""
    with pytest.raises(KernelError) as refused:
        call()
    assert refused.value.errno == code, refused.value
    return refused.value.remedy


def commands(words: str) -> list[str]:
    """Find the commands in a remedy."""
    return re.findall(r"`([^`]+)`", words)


def shell(command: str) -> None:
    """Run a command as root; it has no placeholders."""
    assert not re.search(r"\b[A-Z]{3,}\b|\.\.\.", command), command
    command = command.removeprefix("sudo ")
    # Not `subprocess`, which takes more descriptors than there may be.
    child = os.posix_spawnp("sh", ["sh", "-c", command], os.environ)
    assert os.waitpid(child, 0)[1] == 0, command


def type_in(remedy: str, number: int = 0) -> None:
    """Type a command of a remedy."""
    shell(commands(remedy)[number])


def opens(where: object, **settings: object) -> bool:
    """Open an engine, and close it."""
    Engine(where, **settings).close()  # type: ignore[arg-type]
    return True


def tried(call: Callable[[], object]) -> str:
    """Say on standard output, as JSON, what a call was refused with; the empty string for none."""
    said = ""
    try:
        call()
    except XdplabError as error:
        said = str(error)
    print(json.dumps(said), flush=True)
    return said


def typed(call: Callable[[], object]) -> None:
    """Say what a call was refused with, and type the first command of that."""
    said = tried(call)
    assert commands(said), said
    type_in(said)


def in_a_child(text: str, before: tuple[str, ...] = ()) -> list[str]:
    """Run Python in a process of its own; return what it said."""
    script = textwrap.dedent(_PRELUDE) + textwrap.dedent(text)
    done = subprocess.run(
        [*before, sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def in_own_namespace(text: str, before: tuple[str, ...] = ()) -> list[str]:
    """As `in_a_child`, in a network namespace with a veth pair, v0 and p0."""
    made = (
        "ip link set lo up; ip link add v0 type veth peer name p0; ip link set v0 up; "
        "ip link set p0 up; ip addr add 10.9.0.1/24 dev v0"
    )
    script = f'{made}; exec {shlex.join(before)} "$@"'
    return in_a_child(text, ("unshare", "--net", "sh", "-c", script, "sh"))
