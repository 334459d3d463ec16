"""The maps of a balancer's program: who has which entry, and how they change while it runs.

A packet may be on its way through the program at any moment. So a server is entered before a table
names it, a table is written while the other one of its service is in use, one write to `services`
puts it into use, and only then servers that it lacks are deleted. An entry that was deleted is used
again as late as can be, with another generation: by that, a connection to the server that had it
before is told from one to the new server.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from xdplab.core.errors import ConfigurationError
from xdplab.core.locks import new_lock
from xdplab.programs import elements
from xdplab.programs.maps import MapFacts
from xdplab.xdp.balancer.addresses import IPAddress, key_of, words_of
from xdplab.xdp.balancer.maglev import TABLE_SIZE, Places
from xdplab.xdp.program import Program

_COUNTS = ("service_counts", "server_counts", "other_counts")
_CLEARED = ("services", "connections4", "connections6", "servers", *_COUNTS)
_MAPS = (*_CLEARED, "tables")
_NOBODY = 0xFFFFFFFF  # no server has this number


@dataclass(frozen=True)
class Server:
    """A server, as the program has it."""

    address: IPAddress
    weight: float
    number: int
    """Its entry."""
    generation: int
    """Which of the servers that had this entry it is."""


class Entries:
    """The entries of a program's maps; all are deleted at first.

    Parameters
    ----------
    program
        The program.
    versions
        Versions of IP for which the balancer has an address to send from.
    """

    def __init__(self, program: Program, versions: Collection[int]) -> None:
        if missing := [name for name in _MAPS if name not in program.maps]:
            raise ConfigurationError(
                f"program has no map {missing[0]!r}: a Balancer takes the gallery's program, "
                'Program(GALLERY["balancer"], lab.port).'
            )
        self._maps, self.versions = program.maps, versions
        self.namespace = program.interface.namespace
        self.lock = new_lock()
        """Held while a service changes."""
        for name in _CLEARED:
            self._maps[name].clear()
        self.free_services = deque(range(self._maps["service_counts"].entries))
        self._free_servers = deque(range(self._maps["servers"].entries))
        self._generations = count(1)
        self._addresses: Counter[IPAddress] = Counter()

    def enter_address(self, address: IPAddress) -> None:
        """Make the program know an address as one of a service, for fragments."""
        self._maps["services"][key_of(address)] = (0, 0)
        self._addresses[address] += 1

    def delete_service(self, key: Mapping[str, Any], address: IPAddress, number: int) -> None:
        """Delete a service and its counts, and the address that no other service has."""
        self._maps["services"].pop(key, None)
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._maps["services"][key_of(address)]
        counts = self._maps["service_counts"]
        counts[number] = dict.fromkeys(counts.value_dtype.names, 0)
        self.free_services.append(number)

    def enter_servers(
        self,
        before: Mapping[str, Server],
        wanted: Mapping[IPAddress, float],
        service: int,
        gue: bool,
    ) -> dict[str, Server]:
        """Enter the servers that are new, and return all: those that stay keep their entry.

        Raises
        ------
        ConfigurationError
            When there is no room.
        """
        new = [address for address in wanted if str(address) not in before]
        if len(new) > len(self._free_servers):
            raise ConfigurationError(
                f"a balancer has room for {self._maps['servers'].entries} servers, and "
                f"{len(self._free_servers)} more: remove some, service.remove_server(address)."
            )
        found = {}
        for address, weight in wanted.items():
            old = before.get(str(address))
            number = old.number if old else self._free_servers.popleft()
            generation = old.generation if old else next(self._generations)
            server = Server(address, weight, number, generation)
            if old is None or (old.weight > 0) != (weight > 0):
                self._maps["servers"][number] = {
                    "address": words_of(address),
                    "generation": generation,
                    "version": address.version,
                    "gue": gue,
                    "draining": not weight,
                    "service": service,
                }
            found[str(address)] = server
        return found

    def delete_servers(self, servers: Iterable[Server]) -> None:
        """Delete servers that no table names, and their counts."""
        for server in servers:
            for name in ("servers", "server_counts"):
                one = self._maps[name]
                one[server.number] = np.zeros((), one.value_dtype)[()]
            self._free_servers.append(server.number)

    def write_table(self, table: int, places: Places, servers: Sequence[Server]) -> None:
        """Write a Maglev table.

        Parameters
        ----------
        table
            Which: each service has two, one of which is not in use.
        places
            The place of each entry's server in `servers`, or `NO_SERVER`.
        servers
            Those of the service.
        """
        tables = self._maps["tables"]
        facts = MapFacts(*(getattr(tables, name) for name in MapFacts._fields))
        keys = np.arange(table * TABLE_SIZE, (table + 1) * TABLE_SIZE, dtype=np.uint32)
        numbers = np.array([*(each.number for each in servers), _NOBODY], np.uint32)
        values = numbers[places]  # NO_SERVER is the last place
        rows = (each.view(np.uint8).reshape(TABLE_SIZE, -1) for each in (keys, values))
        elements.write_all(tables.fileno(), facts, *rows)

    def use_table(self, key: Mapping[str, Any], number: int, table: int) -> None:
        """Make a service use a table from the next packet on."""
        self._maps["services"][key] = (number, table)

    def counts_of_services(self) -> Any:
        """Return the counts of all services, by number."""
        return self._maps["service_counts"].to_numpy()

    def counts_of_servers(self) -> Any:
        """Return the counts of all servers, by number."""
        return self._maps["server_counts"].to_numpy()

    def other_counts(self) -> Any:
        """Return what was counted of no service."""
        return self._maps["other_counts"][0]
