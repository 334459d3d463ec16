"""A lent interface comes home as it went, from wherever it is; or the log says why not."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute
from support.brokers import Broker
from support.clients import NOBODY, Report, own_network, puppet
from support.hosts import names
from support.waiting import eventually

from xdplab.broker import protocol
from xdplab.broker.client import Connection, connect
from xdplab.net.namespace import Namespace
from xdplab.net.netlink import ethtool

pytestmark = pytest.mark.privilege  # it starts a broker, and becomes another user

NEW_NETWORK = 0x40000000  # linux/sched.h
CHANGED = ("mtu", "address", "ifalias", "txqlen", "group", "gso_max_size", "flags", "broadcast")
_KEPT_FLAGS = 0x100 | 0x200 | 0x80 | 0x1 | 0x1000  # PROMISC, ALLMULTI, NOARP, UP, MULTICAST


def index_of(name: str) -> int:
    with IPRoute() as route:
        return int(route.link_lookup(ifname=name)[0])


def settings() -> dict[str, Any]:
    """Read what the borrower changes."""
    with IPRoute() as route:
        (link,) = route.get_links(index_of("card0"))
        seen = {name: link.get_attr(f"IFLA_{name.upper()}") for name in CHANGED}
        listed = link.get_attr("IFLA_PROP_LIST")
        seen["flags"] = link["flags"] & _KEPT_FLAGS
        seen["names"] = listed.get_attrs("IFLA_ALT_IFNAME") if listed else []
    with ethtool("card0", "look") as device:
        features = device.get_features()
        seen["features"] = {key: features.is_requested(key) for key, *_ in features}
        seen["channels"] = device.get_channels().rx_count
    return seen


def set_up() -> None:
    with IPRoute() as route:
        index = index_of("card0")
        route.link("set", index=index, ifalias="uplink", mtu=1400, txqlen=77)
        route.link("property_add", index=index, altname=["kept0"])


def spoil() -> None:
    """As a borrower who sets all that can be set."""
    index = index_of("card0")
    with IPRoute() as route:
        route.link("property_del", index=index, altname=["kept0"])
        route.link("property_add", index=index, altname=["mine0"])
        route.link("set", index=index, state="down")
        route.link("set", index=index, mtu=600, address="02:00:00:00:00:99", ifalias="mine")
        route.link("set", index=index, txqlen=5, group=9, gso_max_size=20_000)
        route.link("set", index=index, flags=0x100 | 0x200, change=0x100 | 0x200)
        route.link("set", index=index, arp=False)
    with ethtool("card0", "spoil") as device:
        features = device.get_features()
        for name in ("tx-checksum-ip-generic", "rx-gro", "tx-scatter-gather"):
            features.set_value(name, not features.is_requested(name))
        device.set_features(features)


def borrowing(path: str, then: Callable[[], object]) -> Callable[[Report], object]:
    """Return a client that borrows, does something and gives it back, and lives on."""

    def client(report: Report) -> object:
        namespace = own_network()
        held: Connection = connect(protocol.INTERFACE, "card0", namespace, path=path)
        kept = then()
        held.close()
        report("given back")
        return kept

    return client


def test_it_comes_home_with_the_settings_that_it_left_with(
    host: Namespace,
    lender: Broker,
) -> None:
    host.run(set_up)
    before = host.run(settings)
    with puppet(borrowing(lender.socket, spoil)) as client:
        assert client.report() == "given back", lender.log()
        assert lender.is_quiet()
        assert host.run(settings) == before, lender.log()
    assert "lend card0: returned" in lender.log()
    assert "could not" not in lender.log()


def test_one_that_was_down_comes_home_down(host: Namespace, lender: Broker) -> None:
    def switch(state: str) -> None:
        with IPRoute() as route:
            route.link("set", index=index_of("card0"), state=state)

    host.run(switch, "down")
    with puppet(borrowing(lender.socket, lambda: switch("up"))) as client:
        assert client.report() == "given back"
        assert lender.is_quiet()
        assert not host.run(settings)["flags"] & 1


def new_network() -> int:
    """Make another network namespace; come back to this one, with only a descriptor of it."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None)
    assert libc.unshare(NEW_NETWORK) == 0
    made = os.open("/proc/self/ns/net", os.O_RDONLY)
    assert libc.setns(here, 0) == 0
    return made


def move_on(descriptor: int) -> None:
    with IPRoute() as route:
        route.link("set", index=index_of("card0"), net_ns_fd=descriptor)


def held_by_a_descriptor() -> object:
    descriptor = new_network()
    move_on(descriptor)
    return descriptor


def held_by_a_process() -> object:
    child = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    own = Path("/proc/self/ns/net").stat().st_ino
    assert eventually(lambda: Path(f"/proc/{child.pid}/ns/net").stat().st_ino != own)
    descriptor = os.open(f"/proc/{child.pid}/ns/net", os.O_RDONLY)
    move_on(descriptor)
    os.close(descriptor)
    return child


def renamed_too() -> object:
    descriptor = new_network()
    with IPRoute() as route:
        index = index_of("card0")
        route.link("set", index=index, state="down")
        route.link("set", index=index, ifname="hidden7")
        route.link("set", index=index, net_ns_fd=descriptor)
    return descriptor


@pytest.mark.parametrize("way", [held_by_a_descriptor, held_by_a_process, renamed_too])
def test_one_that_was_moved_on_is_found(
    host: Namespace,
    lender: Broker,
    way: Callable[[], object],
) -> None:
    before = host.run(settings)
    with puppet(borrowing(lender.socket, way)) as client:
        assert client.report() == "given back"
        assert lender.is_quiet()
        assert host.run(settings) == before, lender.log()
    assert "found in another namespace" in lender.log()


def test_one_that_is_hidden_is_told_of_and_comes_back_when_it_can(
    host: Namespace,
    lender: Broker,
) -> None:
    """A process that may not be looked into holds the namespace."""

    def client(report: Report) -> object:
        namespace = own_network()
        connection = connect(protocol.INTERFACE, "card0", namespace, path=lender.socket)
        descriptor = new_network()
        move_on(descriptor)
        libc = ctypes.CDLL(None)
        assert libc.prctl(4, 0, 0, 0, 0) == 0  # PR_SET_DUMPABLE
        connection.close()
        report("hidden")
        assert eventually(lambda: "hides" in lender.log())
        assert libc.prctl(4, 1, 0, 0, 0) == 0
        return descriptor

    with puppet(client) as made:
        assert made.report() == "hidden"
        assert eventually(lambda: f"processes of user {NOBODY}" in lender.log()), lender.log()
        assert made.report() == "done"
        assert eventually(lambda: "card0" in host.run(names)), lender.log()
        assert lender.is_quiet()


def test_one_that_was_deleted_is_told_of(host: Namespace, lender: Broker) -> None:
    def delete() -> None:
        with IPRoute() as route:
            route.link("del", index=index_of("card0"))

    with puppet(borrowing(lender.socket, delete)) as client:
        assert client.report() == "given back"
        assert lender.is_quiet()
    assert "card0" not in host.run(names)
    assert f"User {NOBODY}, who had borrowed it, deleted it" in lender.log()
