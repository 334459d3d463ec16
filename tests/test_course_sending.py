"""Packets to a lab's port, answers to them, and calls that are refused on purpose."""

from __future__ import annotations

import pytest
from support.actions import act

from xdplab import ConfigurationError, Engine, Lab
from xdplab.course import answers, refused, send


def test_what_is_sent_has_come_when_the_call_returns(lab: Lab) -> None:
    with Engine(lab.port, match="udp dst port 9") as engine:
        ledger = engine.ledger()
        send(lab, 300)
        account = ledger.read()
    came = ("redirected to the socket", "RX ring full", "no fill descriptor")
    assert sum(map(account.packets, came)) == 300


@pytest.mark.kernel  # a simulated wire is never down
def test_over_a_link_that_is_down_it_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xdplab.course.sending._PATIENCE", 0.5)
    lab.peer.command(["ip", "link", "set", lab.peer.interface.name, "down"])
    with pytest.raises(ConfigurationError, match=r"of 3 packets 0 came to port0"):
        send(lab, 3)


def test_a_refusal_is_returned_and_what_is_not_refused_is_told(lab: Lab) -> None:
    refusal = refused(Lab, 0)
    assert isinstance(refusal, ConfigurationError)
    assert "queues=0" in str(refusal)
    with pytest.raises(ConfigurationError, match="was not refused"):
        refused(lab.peer.ping, lab.port.ipv4)


@pytest.mark.kernel
def test_answers_are_counted(lab: Lab) -> None:
    with Engine(lab.port, action="echo") as engine:
        assert answers(lab, 5) == 5
        act(engine, "drop")
        assert answers(lab, 5) == 0


def test_simulated_hosts_have_no_socket_to_be_answered() -> None:
    with Lab(backend="soft") as lab:
        assert answers(lab) is None
