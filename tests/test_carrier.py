"""What was lost with a link's carrier is waited for, and no longer than that helps."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from support.waiting import eventually

from xdplab import Engine, Interface
from xdplab.net import carrier
from xdplab.net.namespace import Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.privilege]

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h


class Tap:
    """A tap device, which has a carrier as long as someone has it open."""

    def __init__(self, namespace: Namespace) -> None:
        self.interface = Interface.find("tap0", namespace)
        self._file = -1

    def plug_in(self) -> None:
        """Open it."""
        self._file = self.interface.namespace.run(os.open, "/dev/net/tun", os.O_RDWR)
        request = struct.pack("16sH14x", b"tap0", IFF_TAP | IFF_NO_PI)
        self.interface.namespace.run(fcntl.ioctl, self._file, TUNSETIFF, request)
        assert eventually(self.has_carrier)

    def pull_out(self) -> None:
        """Let go of it."""
        os.close(self._file)
        assert eventually(lambda: not self.has_carrier())

    def has_carrier(self) -> bool:
        """Tell whether it has one."""
        return self.interface.look().state.carrier

    def close(self) -> None:
        """Leave nothing open."""
        if self.has_carrier():
            self.pull_out()


@pytest.fixture
def tap(privileged: None) -> Iterator[Tap]:
    with Namespace.create() as place:
        for command in ("ip tuntap add dev tap0 mode tap", "ip link set tap0 up"):
            place.run(subprocess.run, command.split(), check=True, timeout=60)
        with closing(Tap(place)) as made:
            yield made


def test_a_carrier_that_was_lost_is_waited_for(tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "MOST_SECONDS", 30)
    tap.plug_in()
    tap.pull_out()
    later = threading.Timer(0.3, tap.plug_in)
    later.start()
    carrier.await_carrier([tap.interface])
    assert tap.has_carrier()
    later.join()


def test_an_engine_waits_for_it_and_a_ledger_tells_where_it_does_not_come(
    tap: Tap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "MOST_SECONDS", 0.2)
    tap.plug_in()
    tap.pull_out()
    with Engine(tap.interface, attach="skb") as engine:
        assert "tap0 has no carrier" in engine.ledger().explain()


def test_one_that_never_was_is_not_waited_for(tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "MOST_SECONDS", float("inf"))
    carrier.await_carrier([tap.interface])
    assert not tap.has_carrier()
