"""Rules of the gallery's filter, by the words that a user has for networks and ports."""

from __future__ import annotations

import mmap
import re
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from ipaddress import IPv4Network, ip_network
from typing import Any, NamedTuple, NoReturn

import numpy as np

from xdplab.core.calls import public
from xdplab.core.checks import choice, instance_of, shown, text
from xdplab.core.errors import ConfigurationError, MissingKeyError
from xdplab.core.fixed_names import FixedNames
from xdplab.core.table import Table, Tabled
from xdplab.xdp.maps import ArrayMap
from xdplab.xdp.program import Program

_VERDICTS = {"drop": 1, "pass": 2}  # enum xdp_action (linux/bpf.h)
VERDICTS = tuple(_VERDICTS)
"""What a rule can do with a packet."""

_PROTOCOLS = {"tcp": 0, "udp": 1 << 16}  # where the map has their ports
_PORT = re.compile(r"(tcp|udp) (?:port )?(\d{1,5})")
_LARGEST_PORT = 0xFFFF
_NO_RULE = {"verdict": 0, "unused": 0, "packets": 0}
_SUCH = "a network, such as '198.18.0.0/15' or '2001:db8::/32', or a port, such as 'udp 9'"


class Rule(NamedTuple):
    """A rule of the filter."""

    verdict: str
    """``"drop"`` or ``"pass"``."""
    packets: int
    """Packets that it decided since it was set."""


class _Place(NamedTuple):
    words: str
    map: str
    key: Any


@public
class FilterRules(Tabled, FixedNames, MutableMapping[str, Any]):
    """Rules of the gallery's program "filter", changed while it runs.

    A rule is set by what it is about: a network of source addresses, ``rules["198.18.0.0/15"] =
    "drop"``, or a destination port, ``rules["udp 9"] = "drop"``. A packet gets the verdict of its
    network's rule, the longest prefix first; without one that of its port's rule; without either
    that of `otherwise`. A rule that is set anew counts from 0.

    Parameters
    ----------
    program
        The program, ``Program(GALLERY["filter"], lab.port)``.

    Raises
    ------
    ConfigurationError
        When the program has not the filter's maps; when a rule is about something else, or its
        verdict is neither ``"drop"`` nor ``"pass"``.
    MissingKeyError
        When there is no such rule.
    KernelError
        When the kernel refuses: there is room for 4,096 networks of IPv4, and as many of IPv6.
    ClosedError
        After the program was closed.
    """

    def __init__(self, program: Program) -> None:
        instance_of("program", program, Program, 'a Program: Program(GALLERY["filter"], lab.port)')
        maps = {name: program.maps.get(name) for name in ("networks4", "networks6", "ports")}
        if not all(isinstance(each, ArrayMap) for each in maps.values()):
            raise ConfigurationError(
                f"program: {program.name} has not the filter's maps, {', '.join(maps)}. Load it: "
                'Program(GALLERY["filter"], lab.port).'
            )
        self._maps: dict[str, Any] = maps
        ports = self._maps["ports"]
        memory = mmap.mmap(ports.fileno(), ports.entries * ports.value_size, prot=mmap.PROT_READ)
        self._of_ports = np.frombuffer(memory, ports.value_dtype)
        self._variables = program.variables
        self.program = program
        """The program."""

    @property
    def otherwise(self) -> str:
        """The verdict of packets without a rule: ``"drop"`` or ``"pass"``."""
        return "drop" if self._variables["otherwise"] == _VERDICTS["drop"] else "pass"

    @otherwise.setter
    def otherwise(self, verdict: str) -> None:
        self._variables["otherwise"] = _VERDICTS[choice("otherwise", verdict, _VERDICTS)]

    def __setitem__(self, about: str, verdict: str) -> None:
        place = _place(about)
        number = _VERDICTS[choice("verdict", verdict, _VERDICTS)]
        self._maps[place.map][place.key] = {"verdict": number, "unused": 0, "packets": 0}

    def __getitem__(self, about: str) -> Rule:
        place = _place(about)
        # Asked for a network, the kernel answers for the longest prefix that it is in.
        found = [rule for words, rule in self._rules() if words == place.words]
        return found[0] if found else _miss(place.words)

    def __delitem__(self, about: str) -> None:
        place = _place(about)
        rules = self._maps[place.map]
        if place.map == "ports":
            if not rules[place.key].verdict:
                _miss(place.words)
            rules[place.key] = _NO_RULE
            return
        try:
            del rules[place.key]
        except MissingKeyError:
            _miss(place.words)

    def __contains__(self, about: object) -> bool:
        try:
            wanted = _place(about).words
        except ConfigurationError:
            return False
        return any(words == wanted for words, _rule in self._rules())

    def __iter__(self) -> Iterator[str]:
        return (words for words, _rule in self._rules())

    def __len__(self) -> int:
        return len(self._rules())

    def items(self) -> ItemsView[str, Rule]:
        """Return the rules as they are now, by what they are about."""
        return dict(self._rules()).items()

    def values(self) -> ValuesView[Rule]:
        """Return the rules as they are now."""
        return dict(self._rules()).values()

    def clear(self) -> None:
        """Remove all rules; `otherwise` stays."""
        ports = self._maps["ports"]
        for place in np.flatnonzero(self._of_ports["verdict"]):
            ports[int(place)] = _NO_RULE
        for name in ("networks4", "networks6"):
            self._maps[name].clear()

    def _rules(self) -> list[tuple[str, Rule]]:
        """Read all rules, networks first."""
        found = []
        for name in ("networks4", "networks6"):
            for key, value in self._maps[name].items():
                prefix, address = key
                found.append((str(ip_network((bytes(address), prefix), strict=False)), value))
        for name, first in _PROTOCOLS.items():
            of_protocol = self._of_ports[first : first + _LARGEST_PORT + 1]
            for port in np.flatnonzero(of_protocol["verdict"]):
                found.append((f"{name} {port}", of_protocol[port]))
        return [
            (words, Rule(_name(int(value["verdict"])), int(value["packets"])))
            for words, value in found
        ]

    def _table(self) -> Table:
        if self.program.closed:
            return Table("<FilterRules, closed>")
        rows = [(words, verdict, f"{packets:,}") for words, (verdict, packets) in self._rules()]
        rows += [("otherwise", self.otherwise, "")]
        return Table("Rules of the filter", rows, ("about", "verdict", "packets"))

    def _brief(self) -> str:
        return f"<FilterRules: {len(self)}, otherwise {self.otherwise}>"


def _place(about: object) -> _Place:
    words = text("rule", about).strip().lower()
    if found := _PORT.fullmatch(words):
        protocol, port = found[1], int(found[2])
        if port <= _LARGEST_PORT:
            return _Place(f"{protocol} {port}", "ports", _PROTOCOLS[protocol] + port)
    try:
        network = ip_network(words)
    except ValueError as error:
        told = f" ({error})" if "host bits" in str(error) else ""
        raise ConfigurationError(f"rule={shown(about)} must be {_SUCH}{told}.") from None
    name = "networks4" if isinstance(network, IPv4Network) else "networks6"
    return _Place(str(network), name, (network.prefixlen, list(network.network_address.packed)))


def _name(verdict: int) -> str:
    return "drop" if verdict == _VERDICTS["drop"] else "pass"


def _miss(words: str) -> NoReturn:
    raise MissingKeyError(f"the filter has no rule about {words}: list(rules) has those it has.")
