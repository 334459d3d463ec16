"""One side of a lab's wire: an interface, and actions inside its namespace."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, ParamSpec, TypeVar

from xdplab.core.calls import public, public_as
from xdplab.core.checks import (
    callable_of,
    core,
    instance_of,
    is_a,
    items,
    seconds,
    shown,
    text,
    whole,
)
from xdplab.core.errors import ConfigurationError, KernelError, XdplabError
from xdplab.core.own_limits import MORE_THREADS
from xdplab.core.table import Table, Tabled
from xdplab.net.interface import Interface

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_LARGEST_PING = 65507  # bytes of payload that fit an IPv4 packet
_LONGEST_PING_SECONDS = 3600
_MOST_PINGS = 1000 * _LONGEST_PING_SECONDS
_LONGEST_COMMAND_SECONDS = 1_000_000  # poll(2) takes milliseconds in an int
_LARGEST_INT = (1 << 31) - 1
_MOST_ARGUMENTS = 100_000


@public_as(made="Host.ping()")
@dataclass(frozen=True)
class PingResult:
    """How many echo requests went out, and how many replies came back."""

    sent: int
    received: int


@public
class Host(Tabled):
    """One side of a lab's wire: its interface, and the network namespace around it.

    Parameters
    ----------
    interface
        The host's end of the wire.
    """

    def __init__(self, interface: Interface) -> None:
        self.interface = instance_of(
            "interface", interface, Interface, "an Interface: Interface.find(NAME)"
        )

    @property
    def ipv4(self) -> str:
        """The host's IPv4 address."""
        return self.interface.ipv4

    @property
    def ipv6(self) -> str:
        """The host's IPv6 address."""
        return self.interface.ipv6

    def run(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function inside the host's namespace, on a thread of its own: `Namespace.run`.

        A process that the function leaves running keeps the namespace alive; `command` does not.
        """
        callable_of("function", function)
        return self.interface.namespace.run(function, *args, **kwargs)

    def socket(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_DGRAM,  # as socket.socket calls it
        proto: int = 0,
    ) -> socket.socket:
        """Open a socket of this host, to be used from any thread.

        Raises
        ------
        ClosedError
            After the lab was closed.
        KernelError
            When the kernel refuses the socket.
        """
        wanted = {"family": family, "type": type, "proto": proto}
        numbers = {name: whole(name, value, 0, _LARGEST_INT) for name, value in wanted.items()}
        try:
            return self.run(socket.socket, *numbers.values())
        except KernelError:
            raise
        except OSError as error:
            given = ", ".join(f"{name}={value}" for name, value in numbers.items())
            raise KernelError(
                f"open a socket with {given} on {self.interface.name}", error.errno or errno.EIO
            ) from error

    def command(
        self, arguments: Sequence[str | os.PathLike[str]], timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside the host's namespace and wait for it.

        The program is killed when this process dies, so that it can't outlive the lab.

        Parameters
        ----------
        arguments
            The program and its arguments; there is no shell in between.
        timeout
            Seconds after which the program is killed.

        Returns
        -------
        subprocess.CompletedProcess
            With ``returncode``, and ``stdout`` and ``stderr`` as text.

        Raises
        ------
        XdplabError
            When the program did not end in time, or util-linux's `setpriv` is missing.
        ClosedError
            After the lab was closed.
        """
        timeout = seconds("timeout", timeout, 0, _LONGEST_COMMAND_SECONDS)
        # The signal comes when the thread that started it ends, and that thread waits here.
        bound = ["setpriv", "--pdeathsig", "KILL", "--", *_command(arguments)]
        try:
            return self.run(
                subprocess.run,
                bound,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
        except FileNotFoundError as error:
            raise XdplabError(
                "could not run `setpriv`: it is missing. Install Debian's util-linux."
            ) from error
        except KernelError:
            raise
        except OSError as error:  # such as E2BIG
            tried = f"run {shown(arguments)} on {self.interface.name}"
            code = error.errno or errno.EIO
            raise KernelError(tried, code, MORE_THREADS * (code == errno.EAGAIN)) from error
        except subprocess.TimeoutExpired as error:
            program = " ".join(bound[bound.index("--") + 1 :])
            raise XdplabError(
                f"`{program}` did not end within {timeout} s and was killed. "
                "Give it a longer timeout, or less to do."
            ) from error

    def ping(
        self,
        target_address: str,
        count: int = 1,
        interval: float = 0.1,
        size: int = 56,
        timeout: float = 1.0,
    ) -> PingResult:
        """Send ICMP echo requests, and count the replies, with the system's `ping`.

        Requests without a reply are no error: an engine that takes every packet takes these too.

        Parameters
        ----------
        target_address
            An IPv4 or IPv6 address.
        count
            How many requests to send, all in all at most an hour of them.
        interval
            Seconds between two requests, from 0.001.
        size
            Bytes of payload a request, 0 to 65507.
        timeout
            Seconds to wait for the first reply after the last request. Once one has come, `ping`
            waits for the others twice the longest round trip, or `interval` where that is longer:
            on a busy machine a longer interval misses fewer.

        Raises
        ------
        ConfigurationError
            For values out of range.
        XdplabError
            When `ping` is missing or could not send.
        ClosedError
            After the lab was closed.
        """
        target = self._address(target_address)
        count = whole("count", count, 1, _MOST_PINGS)
        size = whole("size", size, 0, _LARGEST_PING)
        interval = seconds("interval", interval, 0.001, _LONGEST_PING_SECONDS)
        timeout = seconds("timeout", timeout, 0.001, _LONGEST_PING_SECONDS)
        if count * interval + timeout > _LONGEST_PING_SECONDS:
            raise ConfigurationError(
                f"{count} requests every {interval} s take longer than {_LONGEST_PING_SECONDS} s. "
                "Send fewer, or more often."
            )
        return self._ping(target, count, interval, size, timeout)

    def _address(self, target_address: object) -> IPv4Address | IPv6Address:
        if is_a(target_address, IPv4Address) or is_a(target_address, IPv6Address):
            return target_address
        try:
            # Text only: ip_address takes a whole number, too.
            return ip_address(text("target_address", target_address))
        except ValueError as error:
            raise ConfigurationError(
                f"target_address={shown(target_address)} is no IP address. Give one such as "
                f"{self.ipv4}: there is no name resolution in a lab."
            ) from error

    def _ping(
        self,
        target: IPv4Address | IPv6Address,
        count: int,
        interval: float,
        size: int,
        timeout: float,
    ) -> PingResult:
        """Ping with arguments that `ping` has checked."""
        arguments = {"-c": count, "-i": interval, "-s": size, "-W": timeout}
        options = [str(part) for pair in arguments.items() for part in pair]
        # Twice the time and some: a busy machine is slow to send, and ping still has to count.
        longest = 10 + 2 * (count * interval + timeout)
        done = self.command(["ping", "-n", "-q", *options, str(target)], timeout=longest)
        counted = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout)
        if counted is None:
            said = (done.stderr or done.stdout).strip()
            raise XdplabError(
                f"could not ping {target}: {said or f'exit status {done.returncode}'}. "
                "It takes `ping` (Debian's iputils-ping) and a route to the address."
            )
        return PingResult(sent=int(counted[1]), received=int(counted[2]))

    @property
    def faults(self) -> Any:
        """Faults that a simulated host makes on purpose: `xdplab.backends.soft.faults`.

        Raises
        ------
        ConfigurationError
            When the host is real.
        """
        raise ConfigurationError(
            "faults can't be set: this host is real. Simulated labs have faults: "
            "Lab(backend='soft')."
        )

    def steer_receiving(self, cpus: Iterable[int]) -> None:
        """Let the host's stack process received packets on other cores (receive packet steering).

        When a worker kicks the TX ring, the other host receives the packets within that call, on
        the worker's core. With steering, the rest of their way costs the worker no time.

        Parameters
        ----------
        cpus
            Cores that share the packets by flow; an empty list ends steering.

        Raises
        ------
        ConfigurationError
            For a core that is not there.
        XdplabError
            When the kernel refuses: the setting is in sysfs (``queues/rx-*/rps_cpus``, see
            Documentation/networking/scaling.rst), where only root may write.
        """
        mask = sum({1 << core(cpu, "cpus") for cpu in items("cpus", cpus, "cores")})
        name = self.interface.current_name()
        # A sysfs shows the namespace of the process that mounted it, so the command mounts its own.
        script = (
            "mount -t sysfs sysfs /sys && "
            'for file in /sys/class/net/"$0"/queues/rx-*/rps_cpus; do echo "$1" >"$file"; done'
        )
        words = [mask >> shift & 0xFFFFFFFF for shift in range(0, max(mask.bit_length(), 1), 32)]
        text = ",".join(f"{word:x}" for word in reversed(words))
        done = self.command(["unshare", "--mount", "sh", "-ec", script, name, text])
        if done.returncode:
            raise XdplabError(
                f"could not steer what {name} receives: {done.stderr.strip()}. "
                "It takes root, and a kernel with receive packet steering (CONFIG_RPS)."
            )

    def _table(self) -> Table:
        table = self.interface._table()
        return Table(f"Host with {table.title[0].lower()}{table.title[1:]}", table.rows)

    def _brief(self) -> str:
        interface = self.interface
        return f"<Host {interface.name} {interface.ipv4} {interface.ipv6}>"


def _command(arguments: object) -> list[str]:
    """Check a program and its arguments."""
    wanted = "a program and its arguments, such as ['ip', 'address']"
    words: list[str] = []
    for argument in items("arguments", arguments, wanted, _MOST_ARGUMENTS):
        try:
            words.append(text("arguments", os.fspath(argument)))
        except Exception:  # the argument's own
            raise ConfigurationError(
                f"arguments={shown(arguments)} must be a list of {wanted}: {shown(argument)} is "
                "neither text nor a path."
            ) from None
    if not words:
        raise ConfigurationError(f"arguments=[] must be a list of {wanted}.")
    return words
