"""The card's own rings, which lie between the wire and those of AF_XDP."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from selftest.cases import cases
from support.pairs import Pair, carry, frames

from xdplab import ConfigurationError, Steering

LEAST = 80  # descriptors: what igb takes at least (ethernet/intel/igb/igb.h: IGB_MIN_RXD)
COUNT = 512


@cases("HW_SW_MIN_RING_SIZE", "HW_SW_MAX_RING_SIZE")
def test_with_the_shortest_and_the_longest_rings_of_a_card_all_frames_arrive(
    case: str, pair: Pair
) -> None:
    if pair.on_veth:
        with Steering(pair.first) as steering, pytest.raises(ConfigurationError) as refusal:
            steering.rx_ring = LEAST
        pair.refused(refusal.value)
        return
    with ExitStack() as undo:
        for host in (pair.first, pair.second):
            steering = undo.enter_context(Steering(host))
            limits = steering.read().limits
            for name in ("rx_ring", "tx_ring"):
                wanted = LEAST if "MIN" in case else limits[name]
                setattr(steering, name, wanted)
                assert getattr(steering, name) == wanted
        ring = 64 if "MIN" in case else limits["rx_ring"]
        sender, receiver = undo.enter_context(pair.ends(ring_size=ring))
        carry(sender, receiver, frames(COUNT), at_once=32)
