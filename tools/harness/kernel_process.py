"""A Jupyter kernel, measured from outside."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_NATIVE_THREADS = ("xdplab-worker", "xdplab-traffic")


class KernelProcess:
    """CPU time and memory of a running kernel.

    Parameters
    ----------
    process_id
        Its process id.
    """

    def __init__(self, process_id: int) -> None:
        self._folder = Path("/proc") / str(process_id)

    def cpu_by_thread(self) -> dict[str, int]:
        """Read CPU time in ns by thread, without the engine's worker and the generator."""
        times = {}
        for task in self._folder.glob("task/*"):
            with suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
                if (task / "comm").read_text().strip() not in _NATIVE_THREADS:
                    times[task.name] = int((task / "schedstat").read_text().split()[0])
        return times

    def cpu_since(self, before: dict[str, int]) -> int:
        """Return the CPU time in ns of its threads since `cpu_by_thread` returned `before`."""
        now = self.cpu_by_thread()
        return sum(time - before.get(thread, 0) for thread, time in now.items())

    def resident_bytes(self) -> int:
        """Read its private memory: without the telemetry region, which fills over time."""
        for line in (self._folder / "status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return 1024 * int(line.split()[1])
        return 0
