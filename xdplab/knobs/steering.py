"""The steering of an interface: where its packets go, and when, as attributes."""

from __future__ import annotations

import errno
import warnings
import weakref
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from xdplab.core.calls import public
from xdplab.core.checks import boolean, choice, instance_of, is_a, items, whole
from xdplab.core.closing import Closing
from xdplab.core.errors import ClosedError, ConfigurationError, KernelError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.locks import new_lock
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.knobs.journal import Journal
from xdplab.knobs.put_back import PutBack
from xdplab.knobs.row import Knob
from xdplab.knobs.table import SteeringKnobs, names_of_home
from xdplab.net import steering
from xdplab.net.flow_rules import FlowRule, add_rule, delete_rule, read_rules
from xdplab.net.interface import Interface
from xdplab.net.resolve import End, looked_up
from xdplab.net.rss import FLOWS
from xdplab.net.steering import NOTHING, Steered

_MOST = (1 << 32) - 1  # of a field of the kernel's
_LONGEST_KEY = 4096  # bytes; those of cards have 40 or 52


@public
class Steering(Tabled, SteeringKnobs, FixedNames, Closing):
    """The settings of an interface that decide on which queue packets arrive, and when.

    Each is an attribute: a read asks the kernel, and is None where the driver has no such setting;
    an assignment sets it, or raises. The driver may round a value. Many drivers reset their link
    for it, and packets are lost meanwhile.

    The settings are the device's: they stay when the process is killed. `close`, or the end of the
    process, puts back what was changed here; what another program has changed meanwhile stays, and
    a warning says so. `Engine.steering` has those of an engine's interface, and `Engine.close` puts
    them back.

    Parameters
    ----------
    interface
        A side of a lab (``lab.port``), an `Interface`, or the name of a real one.
    allow_default_route
        Whether settings may be changed of an interface that carries the default route. While its
        driver resets the link, this machine is cut off from its network.
    journal
        Where changes are noted.

    Raises
    ------
    InterfaceGoneError
        When there is none of that name.
    """

    interface: Interface
    """The interface, as it was when it was looked up."""
    latest: Steered | None = None
    """The settings as last read or set here, without asking the kernel again."""

    def __init__(
        self,
        interface: End,
        *,
        allow_default_route: bool = False,
        journal: Journal | None = None,
    ) -> None:
        self.interface = looked_up(interface)
        self._may_cut_off = boolean("allow_default_route", allow_default_route)
        self.journal = Journal() if journal is None else journal
        self._lock = new_lock()
        self._back = PutBack(self.interface)
        self._finalizer = weakref.finalize(self, _put_back, self._back)
        self._fix_names(Steering)

    def _read(self, knob: Knob[Any]) -> Any:
        return getattr(knobs_of(self._look()), knob.name)

    def _turn(self, knob: Knob[Any], value: object) -> None:
        self._set(knob.name, knob.kind.check(knob.name, value, self))

    @property
    def channels(self) -> int | None:
        """The queues in use that receive and send; None where the two are apart."""
        return self._channels("channels")

    @channels.setter
    def channels(self, count: int) -> None:
        self._set("channels", whole("channels", count, 0, _MOST))

    @property
    def rx_channels(self) -> int | None:
        """The queues in use that receive only; None where there are none of these."""
        return self._channels("rx_channels")

    @rx_channels.setter
    def rx_channels(self, count: int) -> None:
        self._set("rx_channels", whole("rx_channels", count, 0, _MOST))

    @property
    def tx_channels(self) -> int | None:
        """The queues in use that send only; None where there are none of these."""
        return self._channels("tx_channels")

    @tx_channels.setter
    def tx_channels(self, count: int) -> None:
        self._set("tx_channels", whole("tx_channels", count, 0, _MOST))

    @property
    def table(self) -> tuple[int, ...] | None:
        """The RSS table: the queue for each value of the hash's low bits; None without RSS.

        A shorter list than the driver's table is repeated: ``[0, 1]`` spreads flows evenly over two
        queues, ``[0, 0, 0, 1]`` sends a quarter of them to the second.
        """
        value: tuple[int, ...] | None = self._look().values.get("table")
        return value

    @table.setter
    def table(self, queues: Sequence[int]) -> None:
        wanted = [whole("table", each, 0, _MOST) for each in items("table", queues, "queues")]
        if not wanted:
            raise ConfigurationError("table=[] must name a queue at least: [0].")
        now = self._look().values.get("table")
        entries = len(now) if now else len(wanted)
        if len(wanted) > entries:
            raise ConfigurationError(
                f"table has {len(wanted):,} entries, and the driver's has {entries:,}."
            )
        self._set("table", tuple(wanted[place % len(wanted)] for place in range(entries)))

    @property
    def key(self) -> bytes | None:
        """The key of the RSS hash; None without RSS. Another one spreads flows in another way."""
        value: bytes | None = self._look().values.get("key")
        return value

    @key.setter
    def key(self, key: bytes) -> None:
        if not is_a(key, bytes | bytearray):  # type: ignore[arg-type] # a union is a class here
            raise ConfigurationError("key must be bytes, as many as it has: os.urandom(40).")
        whole("key's length", len(key), 1, _LONGEST_KEY)
        self._set("key", bytes(key))

    @property
    def hashes_ports(self) -> dict[str, bool]:
        """Whether ports are a part of the hash, by the kind of flow: ``tcp4``, ``udp4`` and so on.

        Many drivers leave them out for UDP: then all UDP between two hosts is on one queue.
        """
        rss = self._look().rss
        return {} if rss is None else dict(rss.hashes_ports)

    def hash_ports(self, flow: str, hashed: bool = True) -> None:
        """Make ports a part of the hash of a kind of flow, or leave them out.

        Parameters
        ----------
        flow
            ``"tcp4"``, ``"udp4"``, ``"tcp6"`` or ``"udp6"``.
        hashed
            Whether ports are a part.

        Raises
        ------
        ConfigurationError
            When the driver does not tell of such flows.
        KernelError
            When the driver refuses.
        """
        self._set(f"{choice('flow', flow, FLOWS)}_ports", boolean("hashed", hashed))

    @property
    def rules(self) -> dict[int, FlowRule | str]:
        """The card's rules by their places, those of others too; as text where of another kind.

        A rule goes before the hash. Empty where the driver has none.
        """
        if self.interface.namespace.simulated:
            return {}
        try:
            return self.interface.namespace.run(read_rules, self.interface.current_name())
        except KernelError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            return {}

    def add_rule(self, rule: FlowRule) -> int:
        """Have the card send a flow to a queue, or drop it.

        Returns
        -------
        int
            The rule's place, for `delete_rule`.

        Raises
        ------
        KernelError
            When the card can't hold it.
        """
        instance_of("rule", rule, FlowRule, "a FlowRule: FlowRule('udp', 1, destination_port=9)")
        self._refuse("a rule")
        with self._lock:
            name = self.interface.current_name()
            place = self.interface.namespace.run(add_rule, name, rule)
            self._back.note_rule(place, rule)
        return place

    def delete_rule(self, place: int) -> None:
        """Take a rule off the card, by its place.

        Raises
        ------
        KernelError
            When there is none, or the driver refuses.
        """
        wanted = whole("place", place, 0, _MOST)
        self._refuse("a rule")
        with self._lock:
            name = self.interface.current_name()
            self.interface.namespace.run(delete_rule, name, wanted)
            self._back.note_rule(wanted, None)

    def read(self) -> Steered:
        """Read all settings at once.

        Raises
        ------
        KernelError
            When the kernel refuses.
        ClosedError
            When the interface's lab was closed.
        """
        return self._look()

    def close(self) -> None:
        """Put back what was changed here, and is still as it was set. A second call does nothing.

        A warning names what another program has changed meanwhile.
        """
        self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._finalizer.alive

    def _look(self) -> Steered:
        simulated = self.interface.namespace.simulated
        self.latest = found = NOTHING if simulated else steering.read(self.interface)
        return found

    def _channels(self, name: str) -> int | None:
        return self._look().values.get(name) or None

    def _set(self, name: str, value: Any) -> None:
        self._refuse(name)
        with self._lock:
            before = self._look()
            if name not in before.values:
                raise ConfigurationError(
                    f"{name} can't be set: {self._driver()} has no such setting. It has: "
                    f"{', '.join(before.values) or 'none'}."
                )
            try:
                steering.write(self.interface, name, value, before.limits.get(name))
            finally:  # a driver that refuses half-way has changed something, too
                after = self._look()
                self._back.note(before.values, after.values)
            self.journal.note(name, before.values[name], after.values.get(name))

    def _refuse(self, name: str) -> None:
        """Refuse to change what can't be changed here, or must not be."""
        there = self.interface.name
        if self.closed:
            raise ClosedError(
                f"{name} can't be set: this Steering was closed. Make a new one: "
                f"Steering({there!r})."
            )
        if self.interface.namespace.simulated:
            raise ConfigurationError(
                f"{name} can't be set: {there} is simulated, and has no card. That is a real "
                "lab's: Lab(backend='kernel')."
            )
        if not self._may_cut_off and self.interface.carries_default_route():
            raise ConfigurationError(
                f"{name} can't be set: {there} carries the default route, and drivers reset their "
                "link for a change: that can cut this machine off from its network. Insist with "
                f"Steering({there!r}, allow_default_route=True)."
            )

    def _driver(self) -> str:
        return (
            f"the driver of {self.interface.name}, {self.interface.driver or 'which is unknown'},"
        )

    def _brief(self) -> str:
        return f"<Steering of {self.interface.name}>"

    def _table(self) -> Table:
        return _table_of(self.interface.name, self._look(), self.rules)


def knobs_of(found: Steered | None) -> SimpleNamespace:
    """Return the knobs' values as attributes; None of those that the driver does not have."""
    values = {} if found is None else found.values
    knobs = {name: values.get(name) for name in names_of_home("steering")}
    if knobs["adaptive_rx"] is not None:
        knobs["adaptive_rx"] = bool(knobs["adaptive_rx"])
    return SimpleNamespace(**knobs)


def _table_of(name: str, found: Steered, rules: Mapping[int, FlowRule | str]) -> Table:
    """Show settings: each with its value and the most that it can be."""
    rows = []
    for each, value in found.values.items():
        if each in ("table", "key") or each.endswith("_ports"):
            continue
        most = found.limits.get(each)
        if value or most:
            rows.append((each, f"{value:,}", "-" if most is None else f"{most:,}"))
    lines = []
    if found.rss is not None:
        per_queue = [
            f"{found.rss.table.count(queue):,} to queue {queue}"
            for queue in sorted(set(found.rss.table))
        ]
        entries = counted(len(found.rss.table), "RSS table entry").replace("entrys", "entries")
        lines.append(f"{entries}: {', '.join(per_queue)}.")
        if ports := found.rss.hashes_ports:
            words = [f"{flow} {'yes' if hashed else 'no'}" for flow, hashed in ports.items()]
            lines.append(f"Ports are a part of the hash: {', '.join(words)}.")
    lines += [f"Rule {place}: {rule}" for place, rule in rules.items()]
    if not rows:
        return Table(f"The driver of {name} has no settings of this kind.", lines=lines)
    return Table(f"Steering of {name}", rows, ("setting", "now", "most"), lines)


def _put_back(back: PutBack) -> None:
    for remark in back.put_back():
        warnings.warn(remark, stacklevel=3)
