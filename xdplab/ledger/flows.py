"""Which flow lands on which queue: as hash, table and rules say, and as packets really arrived.

A card hashes a packet's addresses, and ports where it is told to, and takes the queue from its
table; a rule goes before that. What is computed of its settings (`of_settings`) stands beside the
queues of the packets that an engine sampled.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xdplab.core.errors import ConfigurationError
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.fields.reading import read
from xdplab.native.records import FRAME, Records
from xdplab.net.flow_rules import FlowRule
from xdplab.net.steering import Steered
from xdplab.net.toeplitz import hashed_fields, toeplitz

if TYPE_CHECKING:
    from xdplab.ledger.subjects import CountedEngine

_PROTOCOLS = {6: "tcp", 17: "udp"}
_LONGEST_BAR = 20  # characters


class FlowKey(NamedTuple):
    """What the packets of a flow have in common."""

    protocol: str
    """``"tcp"``, ``"udp"``, or the number of another one in text."""
    source: str
    destination: str
    source_port: int | None
    """None of a protocol without ports."""
    destination_port: int | None

    def __str__(self) -> str:
        ends = ((self.source, self.source_port), (self.destination, self.destination_port))
        return f"{self.protocol} {' > '.join(map(_end, *zip(*ends, strict=True)))}"


@dataclass(frozen=True)
class Flow:
    """A flow: where its packets arrived, and where they should."""

    key: FlowKey
    packets: Mapping[int, int]
    """Sampled packets by the queue on which they arrived."""
    queue: int | None
    """The queue that the card's settings lead to; None where they do not tell."""
    why: str
    """The reason: a rule, or the hash and the entry of the table."""

    @property
    def as_expected(self) -> bool | None:
        """Whether all its packets arrived on that queue; None where that is not known."""
        return None if self.queue is None else set(self.packets) <= {self.queue}


@dataclass(frozen=True, repr=False)
class Flows(Tabled):
    """The flows among an engine's samples, those with the most packets first.

    Parameters
    ----------
    flows
        The flows.
    queues
        The engine's queues.
    simulated
        Whether a soft NIC simulates the wire.
    """

    flows: tuple[Flow, ...]
    queues: tuple[int, ...]
    simulated: bool = False

    @property
    def elsewhere(self) -> tuple[Flow, ...]:
        """The flows of which packets arrived on another queue than the settings lead to."""
        return tuple(flow for flow in self.flows if flow.as_expected is False)

    def _brief(self) -> str:
        mark = " [simulated]" if self.simulated else ""
        return f"<Flows{mark}: {counted(len(self.flows), 'flow')}, {len(self.elsewhere)} elsewhere>"

    def _table(self) -> Table:
        by_queue: Counter[int] = Counter()
        for flow in self.flows:
            by_queue.update(flow.packets)
        most = max(by_queue.values(), default=1)
        rows = [
            (
                str(flow.key),
                f"{sum(flow.packets.values()):,}",
                ", ".join(map(str, sorted(flow.packets))),
                "-" if flow.queue is None else str(flow.queue),
                flow.why,
                _marked(flow),
            )
            for flow in self.flows
        ]
        bars = [
            f"Queue {queue}: {_bar(by_queue[queue] / most)} "
            f"{counted(by_queue[queue], 'packet')} of "
            f"{counted(sum(queue in flow.packets for flow in self.flows), 'flow')}"
            for queue in sorted({*self.queues, *by_queue})
        ]
        headings = ("flow", "sampled", "arrived on", "leads to", "by", "")
        mark = " [simulated]" if self.simulated else ""
        title = f"{counted(len(self.flows), 'flow')} among the samples{mark}"
        return Table(title, rows, headings if rows else (), bars)


def of_settings(
    key: FlowKey, steered: Steered, rules: Mapping[int, FlowRule | str]
) -> tuple[int | None, str]:
    """Tell to which queue the settings of a card lead a flow, and by what; None if not known.

    Parameters
    ----------
    key
        The flow.
    steered, rules
        As `xdplab.Steering` reads them.
    """
    for place, rule in sorted(rules.items()):
        if isinstance(rule, str):
            return None, f"rule {place} may be for it: {rule}"
        if _is_for(rule, key):
            return rule.queue, f"rule {place}"
    rss = steered.rss
    if rss is None:
        return None, "no RSS in this driver"
    if not rss.toeplitz or not rss.key:
        return None, "another hash than Toeplitz's"
    kind = f"{key.protocol}{ip_address(key.source).version}"
    ports = (key.source_port, key.destination_port)
    with_ports = rss.hashes_ports.get(kind, False) and None not in ports
    fields = hashed_fields(key.source, key.destination, *(ports if with_ports else (None, None)))
    number = toeplitz(rss.key, fields)
    entry = number % len(rss.table)
    of = "addresses and ports" if with_ports else "addresses"
    return rss.table[entry], f"hash {number:#010x} of {of}, entry {entry}"


def flows_of(engine: CountedEngine, steered: Steered, rules: Mapping[int, FlowRule | str]) -> Flows:
    """Find the flows among an engine's samples, and where the settings of its card lead them.

    Raises
    ------
    ConfigurationError
        On a path whose samples have no headers.
    """
    if engine.configuration.kind.name == "UDP":
        raise ConfigurationError(
            "a UDP socket's samples have no headers, so that flows can't be told apart: "
            "Engine(..., path='xsk')."
        )
    found: dict[FlowKey, Counter[int]] = defaultdict(Counter)
    for worker in range(engine.telemetry.workers):
        samples, _next = engine.telemetry.samples(worker=worker)
        for key, queue in zip(keys_of(samples), samples["queue"].tolist(), strict=True):
            if key is not None:
                found[key][queue] += 1
    flows = [
        Flow(key, dict(packets), *of_settings(key, steered, rules))
        for key, packets in found.items()
    ]
    flows.sort(key=lambda flow: (-sum(flow.packets.values()), flow.key))
    return Flows(tuple(flows), engine.queues, engine.simulated)


def keys_of(samples: Records) -> Iterable[FlowKey | None]:
    """Return the flow of each sample; None of a packet that is not of IP."""
    area = np.ascontiguousarray(samples["bytes"])
    places = np.zeros(len(samples), FRAME)
    places["address"] = np.arange(len(samples)) * (area.shape[1] if area.ndim > 1 else 0)
    places["length"] = samples["captured"]
    flat = area.reshape(-1)
    column = {
        name: read(name, flat, places).tolist()
        for name in ("ip.protocol", "udp.sport", "udp.dport", "tcp.sport", "tcp.dport")
    }
    addresses = {name: read(name, flat, places) for name in _ADDRESSES}
    for number in range(len(samples)):
        protocol = column["ip.protocol"][number]
        source, destination = (
            _address(addresses[f"ipv4.{end}"], addresses[f"ipv6.{end}"], number)
            for end in ("src", "dst")
        )
        if protocol is None or not source or not destination:
            yield None
            continue
        name = _PROTOCOLS.get(protocol, str(protocol))
        ports = [
            column[f"{name}.{end}"][number] if protocol in _PROTOCOLS else None
            for end in ("sport", "dport")
        ]
        yield FlowKey(name, source, destination, *ports)


_ADDRESSES = ("ipv4.src", "ipv4.dst", "ipv6.src", "ipv6.dst")


def _address(four: np.ma.MaskedArray, six: np.ma.MaskedArray, number: int) -> str:
    if not np.ma.getmaskarray(four)[number]:
        return str(ip_address(int(four.data[number])))
    if not np.ma.getmaskarray(six)[number].any():
        return str(ip_address(six.data[number].tobytes()))
    return ""


def _is_for(rule: FlowRule, key: FlowKey) -> bool:
    wanted = (rule.source, rule.destination, rule.source_port, rule.destination_port)
    return rule.protocol == key.protocol and all(
        each in ("", None) or each == there for each, there in zip(wanted, key[1:], strict=True)
    )


def _marked(flow: Flow) -> str:
    return {True: "as expected", False: "elsewhere", None: ""}[flow.as_expected]


def _bar(share: float) -> str:
    return "▇" * max(round(share * _LONGEST_BAR), bool(share))


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
