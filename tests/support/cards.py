"""Two real cards joined by a wire, in a guest of `make vm`: each in a namespace of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from guests.lists import CARDS, FIRST, SECOND, Card
from pyroute2 import IPRoute

from support.waiting import eventually
from xdplab import Engine, Host, Interface
from xdplab.net.namespace import Namespace

COUNT = 200
PORT = 4711  # which no one else sends to
MODES = {
    "zero-copy": ("native", "zero-copy"),
    "native": ("native", "copy"),
    "skb": ("skb", "copy"),
}
"""The arguments attach and bind by the names of the modes."""
_NO_DUPLICATE_DETECTION = 0x02  # IFA_F_NODAD


class Cards(NamedTuple):
    """Hosts with a card each."""

    card: Card
    """What both are."""
    first: Host
    second: Host


@contextmanager
def cards_up() -> Iterator[Cards]:
    """Have both cards up, with addresses, and frames passing between them."""
    with ExitStack() as undo:
        hosts = []
        for number, name in enumerate((FIRST, SECOND), 1):
            namespace = undo.enter_context(Namespace.create())
            with IPRoute() as route:
                (index,) = route.link_lookup(ifname=name)
                route.link("set", index=index, net_ns_fd=namespace.fd)
            namespace.run(_set_up, name, f"198.18.0.{number}", f"2001:db8::{number}")
            hosts.append(Host(Interface.find(name, namespace)))
        made = Cards(CARDS[os.environ["XDPLAB_VM_CARD"]], *hosts)
        wait_for_carrier(made)
        yield made


def wait_for_carrier(cards: Cards) -> None:
    """Wait until frames pass."""
    wait_until_frames_pass(cards.second, cards.first)


def wait_until_frames_pass(sender: Host, receiver: Host) -> None:
    """Wait until one host's frames reach another, with the answers of address resolution."""
    with receiver.socket() as inbox, sender.socket() as outbox:
        inbox.bind((receiver.ipv4, 0))
        inbox.settimeout(0.2)

        def passes() -> bool:
            with suppress(OSError):  # without a link there is no route
                outbox.sendto(b"", inbox.getsockname())
                inbox.recv(1)
                return True
            return False

        assert eventually(passes)


def has(mode: str, cards: Cards, release: tuple[int, int]) -> bool:
    """Tell whether the driver has a mode in this kernel."""
    if mode == "skb":
        return True
    since = cards.card.native_since if mode == "native" else cards.card.zero_copy_since
    return since is not None and release >= since


def send(cards: Cards, count: int = COUNT) -> None:
    """Send datagrams from the second card to the first."""
    with cards.second.socket() as sender:
        for _ in range(count):
            sender.sendto(bytes(18), (cards.first.ipv4, PORT))


def received(engine: Engine) -> int:
    return int(engine.telemetry.total()["rx_packets"])


def opened(cards: Cards, mode: str, **settings: object) -> Engine:
    """Make an engine on all queues of the first card: which of them a flow comes by is chance."""
    attach, bind = MODES[mode]
    queues = range(cards.first.interface.queues)
    # Some cards cut long packets in smaller frames with zero-copy, which an engine refuses.
    usual = {"match": f"udp port {PORT}", "queue": [*queues], "frame_size": 4096}
    wanted = {**usual, **settings}
    return Engine(cards.first, attach=attach, bind=bind, **wanted)  # type: ignore[arg-type]


def _set_up(name: str, ipv4: str, ipv6: str) -> None:
    with IPRoute() as route:
        (card,) = route.link_lookup(ifname=name)
        for index in (*route.link_lookup(ifname="lo"), card):
            route.link("set", index=index, state="up")
        route.addr("add", index=card, address=ipv4, prefixlen=24)
        route.addr("add", index=card, address=ipv6, prefixlen=112, flags=_NO_DUPLICATE_DETECTION)
