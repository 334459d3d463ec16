"""The command `xdplab course`: the lessons, and the reader's copies of them."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from xdplab.core.errors import ConfigurationError
from xdplab.core.output import complain, say
from xdplab.core.table import Table
from xdplab.core.text import counted
from xdplab.course import copies, progress
from xdplab.course.lessons import lesson, lessons


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's own commands and options."""
    parser.set_defaults(command=_list)
    commands = parser.add_subparsers(metavar="COMMAND")
    where = f"the folder that {copies.VARIABLE} names, else course/ of the source tree, else "
    where += "~/xdplab-course"
    copy = commands.add_parser(
        "copy",
        help="copy the lessons to a folder of your own, and print it",
        description=f"Copy the lessons to {where}. What you changed there stays as it is.",
    )
    copy.set_defaults(command=_copy)
    opening = commands.add_parser(
        "open",
        help="open a lesson, your own copy, in JupyterLab",
        description=f"Copy the lessons to {where}, and open one in JupyterLab. Options after -- "
        "are JupyterLab's: xdplab course open 03 -- --port 9000",
    )
    opening.set_defaults(command=_open)
    opening.add_argument("lesson", nargs="?", default="", metavar="NUMBER", help="such as 03")
    opening.add_argument("options", nargs="*", metavar="OPTION", help="an option of JupyterLab's")


def _list(_options: argparse.Namespace) -> int:
    place = copies.folder()
    solved, every = progress.solved(place), lessons()
    rows = [
        (
            each.number,
            each.title,
            f"{each.minutes} min",
            f"{len(solved & {*each.exercises})} of {len(each.exercises)}" if each.exercises else "",
            "takes a kernel" if each.needs_kernel else "",
        )
        for each in every
    ]
    total = sum(each.minutes for each in every)
    table = Table(
        f"{counted(len(every), 'lesson')}, {total // 60} h {total % 60} min",
        rows,
        ("", "lesson", "time", "solved", ""),
        ["xdplab course open 01 opens a lesson, your own copy.", f"Your copies: {place}"],
    )
    return int(not say(table.text()))


def _copy(_options: argparse.Namespace) -> int:
    return int(not say(str(_copied())))


def _open(options: argparse.Namespace) -> int:
    wanted = lesson(options.lesson) if options.lesson else lessons()[0]
    program = shutil.which("jupyter", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        raise ConfigurationError(
            "JupyterLab is not installed beside xdplab: pip install 'xdplab[notebook]'."
        )
    place = _copied()
    complain(f"xdplab: the lessons are your own copies, in {place}")
    # The address that JupyterLab prints leads to the lesson, too.
    address = f"--LabApp.default_url=/lab/tree/{wanted.name}"
    command = [program, "lab", address, *options.options, str(place / wanted.name)]
    os.execv(program, command)


def _copied() -> Path:
    place, told = copies.copy()
    for line in told:
        complain(f"xdplab: {line}")
    return place
