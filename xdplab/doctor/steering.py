"""Checks how the real interfaces spread packets over their queues, which is only read."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import suppress

from xdplab.core.errors import InterfaceGoneError, KernelError
from xdplab.core.text import counted
from xdplab.doctor.finding import Finding
from xdplab.doctor.interfaces import real_interfaces
from xdplab.net.flow_rules import FlowRule, read_rules
from xdplab.net.interface import Interface
from xdplab.net.namespace import Namespace
from xdplab.net.steering import Steered, read


def steering() -> Iterator[Finding]:
    """Say of each real interface on which queues packets arrive, and when."""
    here = Namespace.current()
    for name in here.run(real_interfaces):
        with suppress(InterfaceGoneError):  # removed or moved during the check
            interface = Interface.find(name, here)
            yield judge_steering(name, read(interface), _rules(interface))


def judge_steering(name: str, found: Steered, rules: Mapping[int, FlowRule | str]) -> Finding:
    """Describe the steering of an interface, and what puts packets where no engine may be.

    Parameters
    ----------
    name
        The interface's.
    found, rules
        Its settings and rules.
    """
    seen, remedies = _sizes(found), []
    rss = found.rss
    if rss is not None:
        queues = sorted(set(rss.table))
        to = f"queue {queues[0]}" if len(queues) == 1 else f"{len(queues)} queues"
        seen.append(f"RSS spreads flows over {to}")
        without = [flow for flow, hashed in rss.hashes_ports.items() if not hashed]
        if without and len(queues) > 1:
            seen.append(
                f"without the ports of {' and '.join(without)}: all of them between two hosts are "
                "on one queue"
            )
            remedies += [f"`sudo ethtool -N {name} rx-flow-hash {each} sdfn`." for each in without]
    if rules:
        seen.append(f"{counted(len(rules), 'rule')} before that (`ethtool -n {name}`)")
    return Finding(
        f"{name}: steering",
        "limited" if remedies else "good",
        ", ".join(seen) or "no settings in this driver",
        " ".join(remedies),
    )


def _sizes(found: Steered) -> list[str]:
    seen = []
    for name, words in (("rx_ring", "received"), ("tx_ring", "sent")):
        if size := found.values.get(name):
            most = found.limits.get(name, 0)
            seen.append(f"room for {size:,} {words} frames a queue, {most:,} at most")
    if (after := found.values.get("rx_usecs")) is not None:
        seen.append(f"rx-usecs {after}")
    return seen


def _rules(interface: Interface) -> Mapping[int, FlowRule | str]:
    try:
        return interface.namespace.run(read_rules, interface.current_name())
    except KernelError as error:
        if error.errno == errno.EOPNOTSUPP:
            return {}
        raise
