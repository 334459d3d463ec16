"""Pings that a busy machine may answer late."""

from __future__ import annotations

import ipaddress

from support.waiting import eventually
from xdplab.net.host import Host

# Fewer than the smallest ring holds, where each fills one frame, so that a worker that stood still
# drops none.
_AT_ONCE = 30
_PATIENCE = 30.0  # s


def all_answered(
    host: Host,
    address: str,
    count: int = 1,
    *,
    size: int = 56,
    interval: float = 0.005,
    at_once: int = _AT_ONCE,
) -> bool:
    """Ping an address; return whether each request got its reply.

    Requests go out in groups of `at_once`, each after the replies to the one before. `ping` waits
    for its last replies no longer than twice the longest before took, or one interval; the host
    counts those that come after it ended.
    """
    for begun in range(0, count, at_once):
        group = min(at_once, count - begun)
        if not _group_answered(host, address, group, size, interval):
            return False
    return True


def _group_answered(host: Host, address: str, count: int, size: int, interval: float) -> bool:
    if host.interface.namespace.simulated:  # its ping waits for each reply
        done = host.ping(address, count=count, interval=interval, size=size, timeout=_PATIENCE)
        return done.received == count
    before = _replies(host, address)
    host.ping(address, count=count, interval=interval, size=size, timeout=_PATIENCE)
    return eventually(lambda: _replies(host, address) == before + count, _PATIENCE)


def _replies(host: Host, address: str) -> int:
    """Return how many replies a host counts; see `icmp` in snmp_counter.rst of the kernel."""
    if ipaddress.ip_address(address).version == 6:
        said = host.command(["cat", "/proc/net/snmp6"]).stdout
        counts = dict(line.split() for line in said.splitlines())
        return int(counts["Icmp6InEchoReplies"])
    said = host.command(["cat", "/proc/net/snmp"]).stdout
    names, values = (line.split() for line in said.splitlines() if line.startswith("Icmp:"))
    return int(values[names.index("InEchoReps")])
