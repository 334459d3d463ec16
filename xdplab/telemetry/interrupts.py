"""Interrupts and network softirqs, as the kernel counts them for the whole machine.

They show whether busy polling works: a driver whose NAPI is driven by a worker raises no interrupt,
and no softirq runs for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_INTERRUPTS, _SOFTIRQS = Path("/proc/interrupts"), Path("/proc/softirqs")
_RECEIVING = "NET_RX"


@dataclass(frozen=True)
class InterruptCounts:
    """Counts since the machine was started (proc_interrupts(5), proc_softirqs(5)).

    Parameters
    ----------
    device
        Interrupts of a device, on all cores; None where it has none that are known.
    softirqs
        By core, how often the softirq that receives packets ran there, for whichever interface.
    """

    device: int | None
    softirqs: dict[int, int]

    @classmethod
    def read(cls, numbers: Collection[int]) -> Self:
        """Read both now.

        Parameters
        ----------
        numbers
            The numbers of the device's interrupts.
        """
        wanted = {f"{number}:" for number in numbers}
        interrupts, softirqs = _rows(_INTERRUPTS), _rows(_SOFTIRQS)
        device = sum(sum(row.values()) for name, row in interrupts if name in wanted)
        receiving = [row for name, row in softirqs if name == f"{_RECEIVING}:"]
        return cls(device if wanted else None, receiving[0] if receiving else {})

    def since(self, before: Self) -> Self:
        """Return what was counted since then; of softirqs, only cores on which some ran."""
        grown = {
            core: count - before.softirqs.get(core, 0) for core, count in self.softirqs.items()
        }
        device = None if self.device is None else self.device - (before.device or 0)
        return type(self)(device, {core: count for core, count in grown.items() if count})


def _rows(file: Path) -> list[tuple[str, dict[int, int]]]:
    """Read a table of counts: cores in the heading, a name at the beginning of each row."""
    try:
        heading, *lines = file.read_text().splitlines()
    except (OSError, ValueError):
        return []
    cores = [int(name.removeprefix("CPU")) for name in heading.split()]
    rows = [line.split() for line in lines]
    return [
        (
            words[0],
            {
                core: int(word)
                for core, word in zip(cores, words[1:], strict=False)
                if word.isdigit()
            },
        )
        for words in rows
        if words
    ]
