"""The CPU time of a process and its threads, and of network softirqs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from xdplab.backends.softirq import SoftirqClock
from xdplab.core.errors import KernelError


@dataclass
class Spent:
    """CPU time in nanoseconds, while packets arrived.

    Parameters
    ----------
    cpu_ns
        Of all threads of the process, by the scheduler's clock; None if it was gone, or the kernel
        does not show it.
    softirq_ns
        Of network softirqs on the cores; None if this process may not trace them.
    """

    cpu_ns: int | None = 0
    softirq_ns: int | None = None

    def per_packet(self, packets: int) -> dict[str, float | None]:
        """Return the times per packet by their names in a result; None without packets."""
        times = {"cpu_ns_per_packet": self.cpu_ns, "softirq_ns_per_packet": self.softirq_ns}
        return {
            name: round(ns / packets, 2) if packets and ns is not None else None
            for name, ns in times.items()
        }


@contextmanager
def spending(process: int | None, cores: set[int]) -> Iterator[Spent]:
    """Measure the CPU time of a process and of softirqs in the block; set at its end.

    Parameters
    ----------
    process
        The process id; None: only softirqs.
    cores
        Cores on which softirqs count.
    """
    spent = Spent()
    with _softirq_clock() as clock:
        before, softirq_before = by_thread(process), clock.nanoseconds(cores) if clock else None
        yield spent
        now = by_thread(process)
        if clock and softirq_before is not None:
            spent.softirq_ns = clock.nanoseconds(cores) - softirq_before
    grown = [time - before.get(thread, 0) for thread, time in now.items()]
    spent.cpu_ns = sum(grown) if grown or process is None else None


def _softirq_clock() -> SoftirqClock | nullcontext[None]:
    try:
        return SoftirqClock()
    except KernelError:
        return nullcontext()


def by_thread(process: int | None) -> dict[str, int]:
    """Return the CPU time of each thread of a process by its id, in nanoseconds."""
    times: dict[str, int] = {}
    if process is None:
        return times
    for task in Path("/proc", str(process), "task").glob("*"):
        with suppress(FileNotFoundError, ProcessLookupError, IndexError):  # ended meanwhile
            times[task.name] = int((task / "schedstat").read_text().split()[0])
    return times
