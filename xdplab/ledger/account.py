"""A ledger read at one moment: a line for each counting point, and the words for each loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from xdplab.core.checks import choice
from xdplab.core.table import Sentences, Table, Tabled, bars_of
from xdplab.ledger.explain import explain
from xdplab.ledger.lines import Line
from xdplab.ledger.situation import Situation

_LOSSES = frozenset(
    {
        *(Line.TOO_LONG, Line.WIRE_FULL, Line.RECONFIGURING, Line.NO_SOCKET, Line.RING_FULL),
        Line.PROGRAM_DROPPED,
        *(Line.NO_FILL, Line.TOO_LARGE, Line.TOO_MANY, Line.RX_CLOSED),
        *(Line.HANDLER_REFUSED, Line.HANDLER_UNKNOWN),
        *(Line.TX_CLOSED, Line.TX_INVALID, Line.TX_DROPPED),
    }
)
_NOTES = frozenset(
    {Line.ASKED, Line.FINISHED, Line.UNFINISHED, Line.LEFT_TO_DEVICE, Line.OVERSIZED}
)


@dataclass(frozen=True)
class Stage:
    """One line of a ledger."""

    stage: str
    packets: int
    name: str = ""
    """Its name on the engine's path; by default `stage`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", str(self.name or self.stage))

    @property
    def lost(self) -> bool:
        """Whether its packets ended there."""
        return self.stage in _LOSSES

    @property
    def note(self) -> bool:
        """Whether it is a remark on packets that the line before counts."""
        return self.stage in _NOTES


@dataclass(frozen=True, repr=False)
class Account(Tabled):
    """A ledger read at one moment. It prints as a table.

    Parameters
    ----------
    stages
        The lines, in the order in which a packet meets them.
    unaccounted
        Packets that one point counted and the next did not: in flight while they flow, and 0
        once they have drained. Never left out.
    situation
        The settings when it was read, for `explain`.
    """

    stages: tuple[Stage, ...]
    unaccounted: int
    situation: Situation = field(default_factory=Situation, compare=False)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    @property
    def balanced(self) -> bool:
        """Whether the ledger adds up."""
        return self.unaccounted == 0

    @property
    def remainder(self) -> str:
        """The name of the `unaccounted` packets: ``"in flight"`` while packets flow."""
        return "in flight" if self.unaccounted and self.situation.flowing else "unaccounted"

    def packets(self, stage: str) -> int:
        """Packets of one stage, by its name here or on AF_XDP.

        Raises
        ------
        ConfigurationError
            For another name; the message lists the names.
        """
        names = {name: line.packets for line in self.stages for name in (line.stage, line.name)}
        return names[choice("stage", stage, names)]

    def explain(self) -> str:
        """Say in words what was lost or left, why, and which knob would help; a line for each."""
        counts = {line.stage: line.packets for line in self.stages}
        return Sentences("\n".join(explain(counts, self.unaccounted, self.situation)))

    def as_list(self) -> list[dict[str, str | int]]:
        """Return the lines for JSON; the last is the unaccounted packets."""
        lines: list[dict[str, str | int]] = [
            {"stage": line.name, "packets": line.packets} for line in self.stages
        ]
        return [*lines, {"stage": "unaccounted", "packets": self.unaccounted}]

    def _table(self) -> Table:
        rows = [(f"{_mark(s)}{s.name}", f"{s.packets:,}") for s in self.stages]
        rows.append((self.remainder, f"{self.unaccounted:,}"))
        mark = "[simulated]" if self.situation.simulated else ""
        return Table(f"{self.situation.name} {mark}".strip(), rows)

    def _page(self) -> Table:
        bars = bars_of([*(stage.packets for stage in self.stages), self.unaccounted])
        return replace(self._table(), lines=self.explain().splitlines(), bars={1: bars})


def _mark(stage: Stage) -> str:
    return "- " if stage.lost else "  " if stage.note else ""
