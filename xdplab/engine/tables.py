"""An engine and a generator as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.core.table import Table
from xdplab.core.text import counted, rate, setting
from xdplab.native.paths import Kind
from xdplab.telemetry.tables import LOST

if TYPE_CHECKING:
    from xdplab.engine.engine import Engine
    from xdplab.engine.traffic import Traffic


def brief(engine: Engine) -> str:
    """Return an engine in one line."""
    kind = type(engine).__name__
    where = f"{_own_name(engine)}on {engine.name_of(0)} queue {engine.queue}"
    if engine.closed:
        return f"<{kind} {where}, closed{_mark(engine.simulated)}>"
    state = ", ".join([engine.state, *(link.brief for link in engine.broken_links())])
    if engine.state == "bypassed":
        state += f" ({engine.remedy.rstrip('.')})"
    way = f"wait={engine.wait!r}" if engine.wait else f"path={engine.path!r}"
    return f"<{kind} {where}, {state}: {way}, batch={engine.batch}{_mark(engine.simulated)}>"


def engine_table(engine: Engine) -> Table:
    """Return an engine's settings and counts; of a closed one the counts."""
    kind, count = type(engine).__name__, engine.telemetry.total()
    lost = sum(int(count[name]) for name in LOST)
    rows = [
        ("received", counted(int(count["rx_packets"]), "packet")),
        ("lost at the socket", counted(lost, "packet")),
        ("sent", counted(int(count["tx_packets"]), "packet")),
    ]
    names = " and ".join(map(engine.end, range(len(engine.configuration.interfaces))))
    queues = ", ".join(map(str, engine.queues))
    where = (
        f"{_own_name(engine)}on {names} {'queue' if len(engine.queues) == 1 else 'queues'} {queues}"
    )
    if (sockets := engine.configuration.sockets) > 1:
        where += f", {sockets} sockets each"
    if engine.closed:
        return Table(f"{kind} {where}, closed{_mark(engine.simulated)}", rows)
    rows = [*_settings(engine), *rows]
    title = f"{kind} {where}, {engine.state}{_mark(engine.simulated)}"
    troubles = [link.trouble() for link in engine.broken_links()]
    error = engine.error
    note = [engine.handler_note] if engine.handler_note else []
    return Table(title, rows, lines=[*troubles, *([str(error)] if error else []), *note])


def traffic_table(traffic: Traffic) -> Table:
    """Return a generator's settings and counts."""
    state = "closed" if traffic.closed else "running" if traffic.running else "stopped"
    sender, receiver = traffic.sender.interface, traffic.receiver.interface
    title = f"Traffic from {sender.name} to {receiver.name}, {state}"
    rows = [
        ("rate asked", rate(traffic.rate)),
        ("frames", f"{'up to ' if traffic.replays else ''}{traffic.size:,} bytes"),
        ("core", str(traffic.cpu)),
        ("sent", counted(traffic.sent, "frame")),
    ]
    if traffic.too_long:
        rows.append((" of them longer than the MTU", counted(traffic.too_long, "frame")))
    if traffic.left_out:
        rows.append(("left out of the file", counted(traffic.left_out, "frame")))
    return Table(title + _mark(sender.namespace.simulated), rows, lines=traffic.remarks)


def _settings(engine: Engine) -> list[tuple[str, str]]:
    path = [("receive path", engine.path), ("cores", ", ".join(map(str, engine.cpus)))]
    if engine.configuration.kind != Kind.XSK:
        return path
    note = " (ineffective here)" if engine.wait_note else ""
    return [
        *path,
        ("action", engine.action),
        *([("handler", engine.handler.name)] if engine.handler is not None else []),
        ("wait", engine.wait + note),
        ("batch", f"{setting(engine.batch)} packets"),
        ("rings", f"{setting(engine.ring_size)} entries"),
        ("attached", f"{engine.attach}, {'zero-copy' if engine.zero_copy else 'copy'}"),
    ]


def _own_name(engine: Engine) -> str:
    return engine.configuration.name and f"{engine.configuration.name} "


def _mark(simulated: bool) -> str:
    return " [simulated]" if simulated else ""
