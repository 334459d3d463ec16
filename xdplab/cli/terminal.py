"""The live table of `xdplab run`, and the ledger at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import StringIO
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from xdplab.core.output import laid_out
from xdplab.engine.engine import Engine
from xdplab.engine.traffic import Traffic
from xdplab.experiments.measure import Measurement, measure
from xdplab.ledger.account import Account
from xdplab.ledger.lines import Line, name_of

_BARS = " ▁▂▃▄▅▆▇█"
_GRAPH_COLUMNS = 50
_FEWEST_COLUMNS = 15  # for the longest setting
_OTHER_COLUMNS = 44  # two columns of text, and the lines between all
_A_SECOND = 10  # updates


class _LiveTable:
    """The live table: rates since the last update, ten times a second."""

    def __init__(self, engine: Engine, traffic: Traffic | None) -> None:
        self._engine, self._traffic = engine, traffic
        self._last: Any = engine.telemetry.counters()
        self._rates: list[float] = []
        self._sent, self._sent_at = traffic.sent if traffic else 0, time.monotonic()

    def render(self, columns: int) -> Table:
        """Read the telemetry and return the table, for a terminal of so many columns.

        A narrow one has a shorter graph, and a very narrow one the figures alone.
        """
        now: Any = self._engine.telemetry.counters()
        seconds = max(int(now["time_ns"]) - int(self._last["time_ns"]), 1) / 1e9

        def rate(name: str) -> float:
            return float((now[name] - self._last[name]).sum()) / seconds

        packets, batches = rate("rx_packets"), rate("batches")
        kind = self._engine.configuration.kind.name.lower()
        self._rates = [*self._rates, packets][-_GRAPH_COLUMNS:]
        where = f"{self._engine.name_of(0)} queue {self._engine.queue}"
        # As text, since rich reads brackets as markup.
        table = Table(title=Text(f"{where}{_mark(self._engine.simulated)}"))
        table.add_column("figure", style="bold", no_wrap=True)
        table.add_column("now", justify="right", min_width=12)
        room = max(1, min(columns - _OTHER_COLUMNS, _GRAPH_COLUMNS))
        since = f"the last {room / _A_SECOND:g} s, and settings"
        table.add_column(since, min_width=room)
        table.add_row("received / s", f"{packets:,.0f}", _graph(self._rates[-room:]))
        if self._traffic:
            # The worker's records and the generator's count are not of the same moment.
            sent, now_s = self._traffic.sent, time.monotonic()
            sent_pps = (sent - self._sent) / max(now_s - self._sent_at, 0.001)
            asked = self._traffic.rate
            of = "" if isinstance(asked, str) else f"of {asked:,.0f} asked"
            table.add_row("sent / s", f"{sent_pps:,.0f}", of)
            self._sent, self._sent_at = sent, now_s
        table.add_row("gigabit / s", f"{rate('rx_bytes') * 8 / 1e9:,.2f}", "")
        table.add_row(
            f"lost: {name_of(Line.RING_FULL, kind)} / s", f"{rate('rx_ring_full'):,.0f}", ""
        )
        table.add_row(
            "packets a batch",
            f"{packets / batches:,.1f}" if batches else "-",
            f"of {self._engine.batch} at most",
        )
        label = " (ineffective here)" if self._engine.wait_note else ""
        table.add_row(
            "wakeups / s", f"{rate('wakeups'):,.0f}", f"waiting: {self._engine.way}{label}"
        )
        table.add_row("system calls / s", f"{rate('syscalls'):,.0f}", "")
        table.add_row("worker's core", f"{rate('cpu_ns') / 1e7:,.0f} %", f"core {self._engine.cpu}")
        occupancy = int(now["rx_peak"])
        table.add_row("RX ring, peak", f"{occupancy:,}", f"of {self._engine.ring_size:,}")
        if self._traffic:
            table.add_row("sent in all", f"{self._traffic.sent:,}", "")
        if room < _FEWEST_COLUMNS:
            table.columns.pop()
        self._last = now
        return table


def _mark(simulated: bool) -> str:
    return " [simulated]" if simulated else ""


def _graph(rates: list[float]) -> str:
    top = max(rates) or 1.0
    return "".join(_BARS[round(rate / top * (len(_BARS) - 1))] for rate in rates)


def run_live(
    engine: Engine, traffic: Traffic | None, seconds: float, check: Callable[[], None]
) -> tuple[Measurement, str]:
    """Measure, with a live table on a terminal.

    Parameters
    ----------
    engine, traffic, seconds
        As for `measure`.
    check
        Called ten times a second; an exception from it ends the run, as for `measure`.

    Returns
    -------
    tuple
        The measurement, and a text with the ledger and the CPU time per packet.
    """
    table = _LiveTable(engine, traffic)
    with _live() as show:

        def watch() -> None:
            check()
            show(table)

        measurement, account = measure(engine, traffic, seconds, watch)

    def write(console: Console) -> None:
        console.print(_ledger_table(account))
        console.print(account.explain(), markup=False, highlight=False)
        console.print(_summary(measurement), markup=False, highlight=False)

    return measurement, laid_out(write)


@contextmanager
def _live() -> Iterator[Callable[[_LiveTable], None]]:
    """Yield a function that shows the table, as long as there is a terminal."""
    console = Console(file=sys.stdout or StringIO())
    with ExitStack() as stack:
        live = Live(console=console, auto_refresh=False, transient=True)
        is_there = console.is_terminal
        if is_there:
            stack.enter_context(suppress(OSError))
            stack.callback(live.stop)

        def show(table: _LiveTable) -> None:
            nonlocal is_there
            if is_there:
                try:
                    live.start()
                    live.update(table.render(console.width), refresh=True)
                except OSError:
                    is_there = False

        yield show


def _ledger_table(account: Account) -> Table:
    table = Table(title=Text(f"Where every packet went{_mark(account.situation.simulated)}"))
    table.add_column("stage")
    table.add_column("packets", justify="right")
    for line in account.stages:
        if line.packets or not line.lost:
            style = "red" if line.lost and line.packets else ""
            table.add_row(("✗ " if line.lost else "") + line.name, f"{line.packets:,}", style=style)
    style = "green" if account.balanced else "bold red"
    table.add_row("unaccounted", f"{account.unaccounted:,}", style=style)
    return table


def _way(measurement: Measurement) -> str:
    return f"wait={measurement.wait}" if measurement.wait else f"path={measurement.path}"


def _offered(measurement: Measurement) -> str:
    """Say what was asked and sent, and what was lost of it."""
    if measurement.sent is None:
        return ""
    asked = "as much as it can"
    if measurement.asked_pps is not None:
        asked = f"{measurement.asked_pps:,.0f} a second"
    limited = f"{measurement.limited}\n" if measurement.limited else ""
    return (
        f"{limited}asked: {asked}; sent: {measurement.sent:,}, {measurement.sent_pps:,.0f} a "
        f"second; lost: {measurement.lost:,}\n"
    )


def _summary(measurement: Measurement) -> str:
    costs = {
        "user": measurement.user_ns_per_packet,
        "empty polls": measurement.idle_ns_per_packet,
        "system": measurement.sys_ns_per_packet,
        "softirq": measurement.softirq_ns_per_packet,
        "submission thread": measurement.sqpoll_ns_per_packet or None,
    }
    told = ", ".join(f"{name} {ns:,.1f}" for name, ns in costs.items() if ns is not None)
    note = f"\nwait={measurement.wait} is ineffective here: {measurement.wait_note}"
    return (
        f"{_offered(measurement)}"
        f"{measurement.rx_packets:,} packets in {measurement.seconds:.2f} s, "
        f"{measurement.rx_pps:,.0f} a second, {_way(measurement)}, batch={measurement.batch}"
        f"{_mark(measurement.simulated)}\nnanoseconds a packet: {told or 'no packets came'}"
        f"{'' if measurement.wait_effective else note}"
    )
