"""What a message says to type can be typed: no gap to fill in, and a program that there is."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import xdplab

SOURCES = Path(xdplab.__file__).parent

# Programs of a remedy that this project neither needs nor installs.
ELSEWHERE = {
    *("docker", "systemctl", "update-grub", "modprobe", "apt", "sudo"),
    *("tcpreplay", "editcap", "candump", "tcpdump", "pip", "cpupower", "bpftool"),
    "/opt/xdplab/bin/xdplab",  # as docs/without-root.md installs it
}
# Built into the shell.
BUILTIN = {"ulimit", "kill", "echo"}
FRONT = {"sudo", "nsenter", "env"}
# What is quoted and is no command: an option, a value, or a name in Python.
QUOTED = re.compile(r"-|\)|any$|results$|poll$|spin$|>&-|\./~|tso off|(Engine|Traffic)\.\w")


def messages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the text of a module that documents nothing, with `{}` for what is filled in."""
    nodes = list(ast.walk(tree))
    bare = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    bare |= {
        id(node.value)
        for node in nodes
        if isinstance(node, ast.keyword) and node.arg == "more"  # of a knob's docstring
    }
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if id(node) in bare | parts:
            continue
        if isinstance(node, ast.JoinedStr):
            words = (getattr(part, "value", "") for part in node.values)
            yield node.lineno, "".join(word if isinstance(word, str) else "{}" for word in words)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def commands() -> Iterator[tuple[str, str]]:
    """Return where a message quotes a command, and the command."""
    for file in sorted(SOURCES.rglob("*.py")):
        place = file.relative_to(SOURCES)
        if place.parts[0] in ("widgets", "course") or place.name == "verifier_hints.py":
            continue  # whose backticks are JavaScript's, or quote Python or C
        source = file.read_text()
        if "`" not in source:
            continue
        for line, text in messages(ast.parse(source)):
            for quoted in re.findall(r"`([^`\n]+)`", text):
                if not QUOTED.match(quoted):
                    yield f"{place}:{line}", quoted


COMMANDS = list(commands())


def test_the_sources_name_many_commands() -> None:
    assert len(COMMANDS) > 50


@pytest.mark.parametrize(("place", "command"), COMMANDS)
def test_a_command_has_no_gap_and_names_a_program_that_there_is(place: str, command: str) -> None:
    words = [word for word in shlex.split(command) if "=" not in word or word.startswith("-")]
    gaps = [word for word in words if re.fullmatch(r"[A-Z]{2,}|<.*>|\.\.\.", word)]
    assert not gaps, f"{place}: {command}"
    program = next((word for word in words if word not in FRONT), "{}")
    if "{}" in program:
        return  # made where it is used, and typed by the tests of that
    known = program in BUILTIN | ELSEWHERE or shutil.which(program)
    assert known or program == "xdplab", f"{place}: {command}"
