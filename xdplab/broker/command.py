"""The command `xdplab broker`: its options, and a process of its own for the broker."""

from __future__ import annotations

import argparse
import os
import sys

from xdplab.broker import protocol
from xdplab.broker.daemon.limits import Limits


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the broker's options to a parser."""
    limits = Limits()
    parser.add_argument("--group", required=True, metavar="NAME", help="whose members are served")
    parser.add_argument(
        "--interface",
        action="append",
        default=[],
        metavar="IF",
        help="a real interface that may be lent, to one client at a time; several times",
    )
    parser.add_argument(
        "--socket",
        default=protocol.SOCKET_PATH,
        metavar="PATH",
        help=f"where it listens ({protocol.SOCKET_PATH}); clients find it by "
        f"{protocol.SOCKET_VARIABLE}",
    )
    parser.add_argument(
        "--sessions",
        type=int,
        default=limits.sessions,
        metavar="N",
        help=f"connections of one user; all have four times as many ({limits.sessions})",
    )


def start_isolated(options: argparse.Namespace) -> int:
    """Replace this process by an isolated one that runs the broker."""
    arguments = [f"--group={options.group}", f"--socket={options.socket}"]
    arguments += [f"--sessions={options.sessions}"]
    arguments += [f"--interface={name}" for name in options.interface]
    command = [sys.executable, "-I", "-m", "xdplab.broker", *arguments]
    os.chdir("/")
    # Without numpy's threads, which a process that forks must not have.
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OPENBLAS_NUM_THREADS": "1"}
    os.execve(sys.executable, command, environment)
