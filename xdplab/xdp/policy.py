"""The gallery's identity policy, by names: who may talk to whom, changed while packets flow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import count
from typing import Any

from xdplab.core.calls import public, public_as
from xdplab.core.checks import choice, instance_of, shown, text, whole
from xdplab.core.errors import ConfigurationError, MissingKeyError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.core.text import counted
from xdplab.xdp.program import Program

UNKNOWN = "unknown"
"""The name of the identity of addresses without one."""

_MAPS = ("identities4", "identities6", "rules", "packets", "verdicts")
_VERDICTS = {"drop": 1, "pass": 2}
_TRACES = {"none": 0, "dropped": 1, "all": 2}
_DECISIONS = ("otherwise", "rule", "reply")
_PROTOCOLS = {"all": 0, "icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
_WITH_PORTS = ("tcp", "udp")
_TYPE = "struct verdict"

Network = IPv4Network | IPv6Network


@public_as(made="Policy.verdicts()")
@dataclass(frozen=True)
class PolicyVerdict:
    """What a policy decided about a packet.

    Parameters
    ----------
    verdict
        ``"drop"`` or ``"pass"``.
    decision
        What decided: a ``"rule"``, ``"reply"`` where a rule passes what the packet answers, or
        ``"otherwise"``.
    source, destination
        Names of the identities.
    source_address, destination_address
        The packet's.
    protocol
        Its name where rules take one, else its number as text.
    source_port, port
        Of the source and of the destination; 0 where there is none.
    time
        In ns, of CLOCK_MONOTONIC.
    """

    verdict: str
    decision: str
    source: str
    destination: str
    source_address: str
    destination_address: str
    protocol: str
    source_port: int
    port: int
    time: int


@public
class Policy(Tabled, FixedNames):
    """Who may talk to whom, in the gallery's program ``policy``.

    Addresses get identities, and rules are between these, by name. All takes effect at once, on the
    next packet. A rule counts the packets that it decided, replies as well.

    Parameters
    ----------
    program
        ``Program(GALLERY["policy"], lab.port)``, or another with its maps.

    Raises
    ------
    ConfigurationError
        When the program has other maps.
    """

    def __init__(self, program: Program) -> None:
        made = 'Program(GALLERY["policy"], lab.port)'
        self.program = instance_of("program", program, Program, f"a Program: {made}")
        missing = [name for name in _MAPS if name not in program.maps]
        if missing:
            raise ConfigurationError(
                f"program={shown(program)} has no map {missing[0]!r}: a Policy is for {made}."
            )
        self._numbers = {UNKNOWN: 0}
        for _network, number in self._networks():
            self._numbers.setdefault(f"identity {number}", number)

    def identify(self, name: str, *networks: str | IPv4Address | IPv6Address | Network) -> None:
        """Give addresses an identity; of several networks that an address is in, the longest holds.

        Parameters
        ----------
        name
            The identity's. Several calls with the same name add networks.
        networks
            Addresses or networks, such as ``"198.18.0.2"`` and ``"2001:db8::/32"``.

        Raises
        ------
        ConfigurationError
            When one is no network.
        KernelError
            When a map is full: there is room for 4,096 networks of IPv4 and of IPv6.
        """
        given = text("name", name)
        if not given or given == UNKNOWN:
            raise ConfigurationError(
                f"name={given!r} can't be given: it names what has no identity. Choose another."
            )
        found = [_network("networks", each) for each in networks]
        number = self._numbers.setdefault(given, 1 + max(self._numbers.values()))
        for each in found:
            self._map_of(each)[_key(each)] = number
        self._publish()

    def forget(self, *networks: str | IPv4Address | IPv6Address | Network) -> None:
        """Take the identity from networks, as they were given to `identify`.

        Raises
        ------
        ConfigurationError
            When one is no network.
        MissingKeyError
            When one has no identity of its own.
        """
        known = {network for network, _number in self._networks()}
        for each in [_network("networks", each) for each in networks]:
            if each not in known:  # the map would answer for a shorter prefix
                raise MissingKeyError(
                    f"{each} has no identity of its own. Show them: print(policy)."
                )
            del self._map_of(each)[_key(each)]
        self._publish()

    def allow(
        self, source: str, destination: str, protocol: str | int = "all", port: int = 0
    ) -> None:
        """Pass packets from one identity to another, and the replies to them.

        Parameters
        ----------
        source, destination
            Names that `identify` was given, or "unknown".
        protocol
            ``"tcp"``, ``"udp"``, ``"icmp"``, ``"icmpv6"``, or a number; "all" is for all that no
            rule of its own has.
        port
            The destination's, 1 to 65535, for TCP and UDP; all of them are in "all".

        Raises
        ------
        ConfigurationError
            For another name, protocol or port.
        KernelError
            When there are 4,096 rules already.
        """
        self._set("pass", source, destination, protocol, port)

    def deny(
        self, source: str, destination: str, protocol: str | int = "all", port: int = 0
    ) -> None:
        """Drop packets from one identity to another; parameters and errors are those of `allow`."""
        self._set("drop", source, destination, protocol, port)

    def remove(
        self, source: str, destination: str, protocol: str | int = "all", port: int = 0
    ) -> None:
        """Remove a rule, by what `allow` or `deny` was given.

        Raises
        ------
        ConfigurationError
            As `allow`.
        MissingKeyError
            When there is no such rule.
        """
        key = self._pair(source, destination, protocol, port)
        if key not in self.program.maps["rules"]:
            raise MissingKeyError(
                f"there is no rule from {source!r} to {destination!r} for "
                f"{_protocol(key[2])}{f' {port}' if port else ''}. Show them: print(policy)."
            )
        del self.program.maps["rules"][key]
        self._publish()

    @property
    def otherwise(self) -> str:
        """The verdict without a rule: ``"pass"``, as at first, or ``"drop"``."""
        return _name_of(_VERDICTS, self.program.variables["otherwise"])

    @otherwise.setter
    def otherwise(self, verdict: str) -> None:
        number = _VERDICTS[choice("otherwise", verdict, _VERDICTS)]
        self.program.variables["otherwise"] = number

    @property
    def trace(self) -> str:
        """Which verdicts `verdicts` yields: at first ``"none"``; ``"dropped"``, ``"all"``."""
        return _name_of(_TRACES, self.program.variables["trace"])

    @trace.setter
    def trace(self, which: str) -> None:
        self.program.variables["trace"] = _TRACES[choice("trace", which, _TRACES)]

    def verdicts(self, timeout: float | None = None) -> Iterator[PolicyVerdict]:
        """Iterate over verdicts as they come, those that `trace` names.

        Where they come faster than they are read, some are lost; ``program.variables["lost"]``
        counts them.

        Parameters
        ----------
        timeout
            Seconds after which it ends when none came. By default it waits on.
        """
        records = self.program.maps["verdicts"].records(_TYPE, timeout=timeout)
        return map(self._verdict, records)

    def _set(self, verdict: str, *about: Any) -> None:
        key, rules = self._pair(*about), self.program.maps["rules"]
        taken = {other: rule.number for other, rule in rules.items()}
        number = taken.get(key) or _free(taken.values())
        if number < self.program.maps["packets"].entries:  # else the kernel says that all are taken
            self.program.maps["packets"][number] = 0
        rules[key] = (_VERDICTS[verdict], number)
        self._publish()

    def _publish(self) -> None:
        """Let packets be decided anew: the program keeps decisions, of one edition each."""
        variables = self.program.variables
        variables["edition"] = int(variables["edition"]) % 0xFFFFFFFF + 1

    def _pair(
        self, source: object, destination: object, protocol: object, port: object
    ) -> tuple[int, int, int, int, int]:
        first = self._numbers[choice("source", source, self._numbers)]
        second = self._numbers[choice("destination", destination, self._numbers)]
        if isinstance(protocol, str):
            number = _PROTOCOLS[choice("protocol", protocol, _PROTOCOLS)]
        else:
            number = whole("protocol", protocol, 0, 255)
        takes_port = _protocol(number) in _WITH_PORTS
        given = whole("port", port, 0, 65535)
        if takes_port != bool(given):
            remedy = "Name one, 1 to 65535." if takes_port else "Leave it out, or name tcp or udp."
            raise ConfigurationError(f"port={given} does not go with {shown(protocol)}. {remedy}")
        return first, second, number, 0, given

    def _networks(self) -> list[tuple[Network, int]]:
        return [
            (network, number)
            for name in ("identities4", "identities6")
            for (prefix, address), number in self.program.maps[name].items()
            for network in [ip_network((bytes(address), int(prefix)))]
        ]

    def _map_of(self, network: Network) -> Any:
        return self.program.maps[f"identities{network.version}"]

    def _name(self, number: int) -> str:
        return _name_of(self._numbers, number)

    def _verdict(self, record: Any) -> PolicyVerdict:
        size = 4 if record["version"] == 4 else 16
        kind = IPv4Address if size == 4 else IPv6Address
        source, destination = (
            str(kind(bytes(record[name][:size]))) for name in ("source", "destination")
        )
        return PolicyVerdict(
            verdict=_name_of(_VERDICTS, record["verdict"]),
            decision=_DECISIONS[record["decision"]],
            source=self._name(record["from"]),
            destination=self._name(record["to"]),
            source_address=source,
            destination_address=destination,
            protocol=_protocol(record["protocol"]),
            source_port=int(record["source_port"]),
            port=int(record["destination_port"]),
            time=int(record["time"]),
        )

    def _table(self) -> Table:
        if self.program.closed:
            return Table("<Policy of a program that was closed>")
        packets = self.program.maps["packets"].to_numpy()
        rows = [
            (
                self._name(first),
                self._name(second),
                _protocol(protocol),
                str(port or ""),
                _name_of(_VERDICTS, rule.verdict),
                f"{packets[rule.number]:,}",
            )
            for (first, second, protocol, _unused, port), rule in self.program.maps["rules"].items()
        ]
        networks: dict[str, list[str]] = {}
        for network, number in self._networks():
            networks.setdefault(self._name(number), []).append(str(network))
        notes = [f"{name}: {', '.join(found)}" for name, found in networks.items()]
        notes.append(f"otherwise: {self.otherwise}, {counted(int(packets[0]), 'packet')}")
        headings = ("from", "to", "protocol", "port", "verdict", "packets")
        title = f"Policy of {counted(len(rows), 'rule')}"
        return Table(title, sorted(rows), headings if rows else (), notes)

    def _brief(self) -> str:
        if self.program.closed:
            return "<Policy of a program that was closed>"
        return f"<Policy of {counted(len(self.program.maps['rules']), 'rule')}>"


def _free(numbers: Iterable[int]) -> int:
    """Return the least number, from 1, that is not taken."""
    taken = set(numbers)
    return next(number for number in count(1) if number not in taken)


def _network(name: str, value: Any) -> Network:
    try:
        return ip_network(value if not isinstance(value, str) else text(name, value))
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"{name}={shown(value)} is no address and no network. Give one such as "
            '"198.18.0.2" or "2001:db8::/32", without bits behind the prefix.'
        ) from None


def _key(network: Network) -> tuple[int, list[int]]:
    return network.prefixlen, list(network.network_address.packed)


def _protocol(number: int) -> str:
    return _name_of(_PROTOCOLS, number)


def _name_of(names: dict[str, int], number: Any) -> str:
    return next((name for name, value in names.items() if value == number), str(int(number)))
