"""Packets to a lab's port, answers to them, and calls that are refused on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from xdplab.core.calls import public_function
from xdplab.core.checks import callable_of, instance_of, whole
from xdplab.core.errors import ConfigurationError, XdplabError
from xdplab.engine.traffic import Traffic
from xdplab.lab.lab import Lab
from xdplab.net.driver_counters import received_by_queue
from xdplab.net.interface import Interface

_RATE = 5000  # packets a second, which any machine sends
_PATIENCE, _LOOK_AGAIN, _ANSWERED_WITHIN = 10.0, 0.02, 2.0  # seconds
_MOST = 1_000_000
_MOST_DATAGRAMS = 100  # a socket's buffer holds so many
_PORT, _DATAGRAM = 9, b"is anyone there?"


@public_function
def send(lab: Lab, packets: int, flows: int = 1) -> None:
    """Send packets to a lab's port, and return when they have come, and with them their verdicts.

    They are UDP packets of 64 bytes to port 9, 5,000 a second, from `lab.peer`.

    Parameters
    ----------
    lab
        The lab.
    packets
        How many, 1 to 1,000,000.
    flows
        How many source ports they have in turn, as for `Traffic`.

    Raises
    ------
    ConfigurationError
        When not all of them came, as over a link that is down.
    """
    instance_of("lab", lab, Lab, "a Lab")
    packets = whole("packets", packets, 1, _MOST)
    before = _came(lab.port.interface)
    with Traffic(lab.peer, lab.port, rate=_RATE, count=packets, flows=flows) as traffic:
        traffic.wait()
    deadline, last = time.monotonic() + _PATIENCE, -1
    # The hosts' own frames, such as ARP, are counted too: so wait until no more come.
    while (came := _came(lab.port.interface) - before) < packets or came != last:
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"of {packets:,} packets {came:,} came to {lab.port.interface.name}. "
                "lab.peer.command(['ip', 'link']) tells whether the link is up."
            )
        last = came
        time.sleep(_LOOK_AGAIN)


@public_function
def answers(lab: Lab, datagrams: int = 10) -> int | None:
    """Send UDP datagrams from a socket of a lab's peer to port 9 of its port; count the answers.

    Parameters
    ----------
    lab
        The lab.
    datagrams
        How many, 1 to 100.

    Returns
    -------
    int or None
        How many came back. It waits until none came for 2 s. None in a simulated lab, whose hosts
        have no sockets.
    """
    instance_of("lab", lab, Lab, "a Lab")
    datagrams = whole("datagrams", datagrams, 1, _MOST_DATAGRAMS)
    if lab.simulated:
        return None
    answered = 0
    with lab.peer.socket() as client, suppress(TimeoutError):
        client.settimeout(_ANSWERED_WITHIN)
        for _ in range(datagrams):
            client.sendto(_DATAGRAM, (lab.port.ipv4, _PORT))
        while answered < datagrams:
            answered += client.recv(len(_DATAGRAM)) == _DATAGRAM
    return answered


def _came(interface: Interface) -> int:
    return received_by_queue(interface.driver, interface.driver_statistics()).total()


@public_function
def refused(function: Callable[..., object], *arguments: object, **named: object) -> XdplabError:
    """Call a function that is going to be refused, and return the refusal.

    Parameters
    ----------
    function
        What is called, with the arguments and keywords that follow.

    Raises
    ------
    ConfigurationError
        When it was not refused.
    """
    callable_of("function", function)
    try:
        function(*arguments, **named)
    except XdplabError as refusal:
        return refusal
    raise ConfigurationError("it was not refused.")
