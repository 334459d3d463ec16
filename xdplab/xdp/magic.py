"""``%%xdp``: an XDP program in a notebook's cell, which takes the place of its former version."""

from __future__ import annotations

import errno
import keyword
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from xdplab.configuration.binding import ATTACH_MODES
from xdplab.core.checks import is_a
from xdplab.core.errors import (
    CompileError,
    ConfigurationError,
    KernelError,
    VerifierError,
    XdplabError,
)
from xdplab.core.source_lines import excerpt
from xdplab.net.resolve import End, is_same
from xdplab.xdp.link import Link
from xdplab.xdp.program import Program
from xdplab.xdp.source import object_of_text

_EXAMPLE = "%%xdp count --attach lab.port"


def register(shell: Any) -> None:
    """Make the magic known to IPython."""
    shell.register_magic_function(_magic(shell), "cell", "xdp")


def _magic(shell: Any) -> Callable[[str, str], None]:
    # IPython is no dependency of a capture in a terminal.
    arguments: Any = import_module("IPython.core.magic_arguments")
    errors: Any = import_module("IPython.core.error")

    def xdp(line: str, cell: str) -> None:
        """Compile C into an XDP program, load it, and put it into the variable NAME.

        Running the cell again replaces the program where the former one is attached, in one step of
        the kernel: each packet gets one of the two. Then the former one is closed, with its maps. A
        program that does not compile, or that the kernel refuses, changes nothing.

        Example::

            %%xdp count --attach lab.port
            #include <linux/bpf.h>
            #include <bpf/bpf_helpers.h>

            char LICENSE[] SEC("license") = "GPL";

            SEC("xdp") int count(struct xdp_md *context)
            {
                return XDP_PASS;
            }
        """
        asked = arguments.parse_argstring(xdp, line)
        if not asked.variable.isidentifier() or keyword.iskeyword(asked.variable):
            raise errors.UsageError(
                f"{asked.variable!r} can't be the name of a variable. Write: {_EXAMPLE}"
            )
        with _shown_at_its_line(f"%%xdp {line}\n{cell}", f"{asked.variable}.c"):
            _run(shell, asked, cell)

    say = arguments.argument
    for decorate in reversed((
        arguments.magic_arguments("%xdp"),
        say("variable", metavar="NAME", help="the variable that the Program is put into"),
        say(
            "--attach",
            metavar="PORT",
            help="attach it to this interface: an expression, such as lab.port, or a name",
        ),
        say("--load", metavar="PORT", help="load it for this interface, and don't attach it"),
        say(
            "--mode",
            choices=tuple(ATTACH_MODES),
            default="native",
            help="native runs it in the driver, skb in the stack, on any device",
        ),
        say(
            "--name",
            dest="function",
            metavar="FUNCTION",
            default="",
            help="the program's function, where the cell has several programs",
        ),
        say(
            "--allow-default-route",
            action="store_true",
            help="attach it also where the interface carries the default route",
        ),
    )):  # fmt: skip
        decorate(xdp)
    return xdp


def _run(shell: Any, asked: Any, cell: str) -> None:
    former = shell.user_ns.get(asked.variable)
    if not is_a(former, Program) or former.closed:
        former = None
    port = _port(shell, asked, former)
    # The cell's first line is the magic's, and counts.
    made = object_of_text(f"\n{cell}", f"{asked.variable}.c")
    program = Program(made, port, name=asked.function)
    try:
        _take_over(program, former, asked)
    except BaseException:
        program.close()
        raise
    shell.user_ns[asked.variable] = program
    if former is not None:
        former.close()
    display: Any = import_module("IPython.display")
    display.display(program)


def _port(shell: Any, asked: Any, former: Program | None) -> End:
    written = asked.attach or asked.load
    if written is None:
        if former is None:
            raise ConfigurationError(
                f"a program is loaded for an interface: write {_EXAMPLE}, or --load lab.port to "
                "attach it later."
            )
        return former.interface
    try:
        port: End = shell.ev(written)
    except NameError as error:
        if "." in written:
            raise ConfigurationError(f"{written} can't be evaluated: {error}.") from error
        return str(written)
    except Exception as error:  # whatever the user's expression raises
        raise ConfigurationError(f"{written} can't be evaluated: {error}.") from error
    return port


def _take_over(program: Program, former: Program | None, asked: Any) -> None:
    """Run the new program wherever the former one runs, and on another interface where asked."""
    if former is None:
        if asked.attach:
            program.attach(None, asked.mode, allow_default_route=asked.allow_default_route)
        return
    moved: list[Link] = []
    stopped: list[Link] = []
    there = program.interface.namespace.identity
    try:
        for link in former.links:
            here = bool(asked.attach) and is_same(link.interface, program.interface)
            if here and link.attach != asked.mode:
                link.close()
                stopped.append(link)
            elif link.interface.namespace.identity == there and _replaced(link, program):
                moved.append(link)
        if asked.attach and not any(is_same(link.interface, program.interface) for link in moved):
            program.attach(None, asked.mode, allow_default_route=asked.allow_default_route)
    except BaseException:
        for link in moved:
            link.replace(former)
        for link in stopped:
            former.attach(link.interface, link.attach, allow_default_route=True)
        raise


def _replaced(link: Link, program: Program) -> bool:
    """Replace the program of a link, or close one whose interface is gone; tell which."""
    try:
        link.replace(program)
    except KernelError as refused:
        if refused.errno != errno.ENOLINK:
            raise
        link.close()
        return False
    return True


@contextmanager
def _shown_at_its_line(cell: str, file: str) -> Iterator[None]:
    """Show an error with the line of the cell that it is about, in place of IPython's call."""
    try:
        yield
    except XdplabError as error:
        where = error.where if isinstance(error, CompileError | VerifierError) else None
        number = where.line if where and where.file == file else 0
        lines = cell.split("\n")
        error.shown_lines = excerpt(lines, number) or excerpt(lines, 1, around=0)
        raise
