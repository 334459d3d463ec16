"""What an older kernel does in another way is told of it, and no advice is given that fails there.

The version alone decides that, so these tests set it; tests/vm run on the kernels themselves.
"""

from __future__ import annotations

import warnings

import pytest
from support.waiting import eventually

from xdplab import Engine, Lab, Traffic
from xdplab.core.kernel_release import kernel_release
from xdplab.engine import wait_knob
from xdplab.ledger import situation

pytestmark = pytest.mark.kernel  # whose version it is


def be(monkeypatch: pytest.MonkeyPatch, place: object, version: tuple[int, int]) -> None:
    monkeypatch.setattr(place, "kernel_release", lambda: version)


@pytest.mark.parametrize(
    ("printed", "version"),
    [("6.1.0-51-amd64", (6, 1)), ("5.15.0", (5, 15)), ("7.3+deb13", (7, 3)), ("odd", (0, 0))],
)
def test_a_version_is_two_numbers(printed: str, version: tuple[int, int]) -> None:
    assert kernel_release(printed) == version
    assert kernel_release() > (4, 18)


def test_where_a_socket_learns_its_napi_by_a_packet_no_verdict_comes_before_that(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    be(monkeypatch, wait_knob, (6, 12))
    with Engine(lab.port) as engine:
        with warnings.catch_warnings(action="error"):
            engine.wait = "busy-poll"
        assert "busy-poll" not in engine.wait_ineffective
        with Traffic(lab.peer, lab.port, rate=500, count=10) as traffic:
            assert traffic.wait(30)
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] == 10)
        # This kernel's sockets learn none: after a packet the verdict stands.
        expected = kernel_release() >= (6, 13)
        assert ("busy-poll" in engine.wait_ineffective) == expected
        be(monkeypatch, wait_knob, (6, 13))
        assert ("busy-poll" in engine.wait_ineffective) == expected


@pytest.mark.parametrize(("version", "helps"), [((6, 15), False), ((6, 16), True)])
def test_a_queueing_discipline_is_advised_where_a_veth_stops_for_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], helps: bool
) -> None:
    be(monkeypatch, situation, version)
    advised = situation.queueing([lab.peer.interface])
    assert any("qdisc replace dev peer0 root pfifo" in command for command in advised) == helps
