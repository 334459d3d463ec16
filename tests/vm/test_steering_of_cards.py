"""A card's rings, interrupts and hash are attributes, act, and are put back."""

from __future__ import annotations

import pytest
from support.cards import PORT, Cards, opened, received, send, wait_for_carrier
from support.queue_lines import queue_lines
from support.waiting import eventually

from xdplab import ConfigurationError, FlowRule, KernelError, Sampling, Steering
from xdplab.net.toeplitz import hashed_fields, toeplitz
from xdplab.widgets import Controls

# Of senders: so many flows. A Toeplitz hash is linear, and a card draws its key at each boot: of 32
# ports that follow each other, one key in 32 sends all to one queue. These differ in each of their
# 16 bits.
_PORTS = range(1_031, 65_127, 2_003)


def told(cards: Cards, option: str) -> str:
    """Return what ethtool(8) says."""
    command = ["ethtool", option, cards.first.interface.name]
    return str(cards.first.command(command).stdout)


def test_ring_sizes_are_set_and_put_back(cards: Cards) -> None:
    with Steering(cards.first) as steering:
        before, most = steering.rx_ring, steering.read().limits.get("rx_ring", 0)
        assert before is not None
        if cards.card.driver == "virtio_net":  # QEMU's has no more than it has
            assert before == most
            wanted = before // 2
        else:
            wanted = 2 * before
        steering.rx_ring = wanted
        assert steering.rx_ring == wanted
        assert str(wanted) in told(cards, "-g")
        wait_for_carrier(cards)
        with pytest.raises(KernelError, match=rf"rx_ring.*EINVAL.*{most:,} at most"):
            steering.rx_ring = most + 1
        assert steering.rx_ring == wanted
    assert steering.rx_ring == before
    wait_for_carrier(cards)


def test_interrupts_are_held_back_and_what_the_driver_refuses_is_named(cards: Cards) -> None:
    with Steering(cards.first) as steering:
        before = steering.rx_usecs
        if before is None:
            with pytest.raises(ConfigurationError, match="rx_usecs can't be set"):
                steering.rx_usecs = 100
            return
        if cards.card.driver == "igb":
            steering.rx_usecs = 100
            assert steering.rx_usecs == 100
            with pytest.raises(KernelError, match=r"rx_usecs.*EINVAL.*ethtool -c"):
                steering.rx_usecs = 2  # which igb keeps for itself
            assert steering.rx_usecs == 100
    assert steering.rx_usecs == before
    wait_for_carrier(cards)


def test_a_rule_that_the_card_can_not_hold_is_refused(cards: Cards) -> None:
    # None of QEMU's cards has rules: its igb is an 82576, whose driver keeps them to the i210.
    with Steering(cards.first) as steering:
        with pytest.raises(KernelError, match=r"add the rule .*EOPNOTSUPP.*ntuple-filters"):
            steering.add_rule(FlowRule("udp", 0, destination_port=PORT))
        assert steering.rules == {}


def test_flows_go_where_hash_and_table_say(cards: Cards) -> None:
    with Steering(cards.first) as steering:
        table, ports = steering.table, steering.hashes_ports
        if table is None:
            with pytest.raises(ConfigurationError, match="table can't be set"):
                steering.table = [0]
            return
        steering.table = [0, 1, 1, 0]
        assert steering.table == (0, 1, 1, 0) * (len(table) // 4)
        steering.hash_ports("udp4")
        wait_for_carrier(cards)
        key = steering.key
        assert key is not None
        with opened(cards, "native", queue=[0, 1], sampling=Sampling(every=1)) as engine:
            wait_for_carrier(cards)
            wanted = [0, 0]
            for port in _PORTS:
                wanted[queue_of(steering.table, key, cards, port)] += 1
                with cards.second.socket() as sender:
                    sender.bind((cards.second.ipv4, port))
                    sender.sendto(bytes(18), (cards.first.ipv4, PORT))
            assert eventually(lambda: received(engine) == len(_PORTS))
            counts = [int(engine.telemetry.counters(n)["rx_packets"]) for n in range(2)]
            flows = engine.flows()
        assert min(wanted) > 0
        assert counts == wanted
        ours = [flow for flow in flows.flows if flow.key.destination_port == PORT]
        assert len(ours) == len(_PORTS)
        assert all(flow.as_expected for flow in ours), flows
    assert (steering.table, steering.hashes_ports) == (table, ports)
    wait_for_carrier(cards)


def test_controls_show_at_once_where_a_change_of_the_table_leads_packets(cards: Cards) -> None:
    with opened(cards, "native") as engine:
        wait_for_carrier(cards)
        if (table := engine.steering.table) is None:
            return  # as the test above says
        controls = Controls(engine)
        for queue in engine.queues:
            engine.steering.table = [queue]
            wait_for_carrier(cards)

            def moving() -> list[int]:
                send(cards, 20)
                lines = queue_lines(controls)
                return [n for n, line in enumerate(lines) if line[1] not in ("...", "0 pps")]

            assert eventually(lambda: moving() == [queue]), queue_lines(controls)  # noqa: B023
            led = [len(table) if n == queue else 0 for n in engine.queues]
            assert [(name, leads) for name, _rate, leads in queue_lines(controls)] == [
                (f"Queue {n}", f"RSS: {entries} of {len(table)}") for n, entries in enumerate(led)
            ]


def queue_of(table: tuple[int, ...], key: bytes, cards: Cards, port: int) -> int:
    fields = hashed_fields(cards.second.ipv4, cards.first.ipv4, port, PORT)
    return table[toeplitz(key, fields) % len(table)]


def test_an_engine_has_them_and_puts_them_back(cards: Cards) -> None:
    before = Steering(cards.first).rx_ring
    with opened(cards, "skb") as engine:
        wait_for_carrier(cards)
        engine.steering.rx_ring = (before or 0) // 2
        assert engine.steering.rx_ring == (before or 0) // 2
        wait_for_carrier(cards)
    assert Steering(cards.first).rx_ring == before
    wait_for_carrier(cards)
