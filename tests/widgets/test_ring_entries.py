"""What waits in each ring, read from a record of the telemetry region."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xdplab.telemetry.region import RINGS
from xdplab.widgets.rings.figure import NUMBERS
from xdplab.widgets.rings.rows import rows
from xdplab.widgets.rings.state import RingState

FRAME = 2048
SIZES = {"fill": 2, "rx": 1, "tx": 1, "completion": 1}
"""Entries of each ring, in ring sizes."""


def record_of(size: int, ends: dict[str, tuple[int, int]]) -> Any:
    record = np.zeros(1, RINGS)[0]
    record["ring_size"] = size
    for ring, (consumer, waiting) in ends.items():
        record[f"{ring}_consumer"], record[f"{ring}_producer"] = consumer, consumer + waiting
        capacity = size * SIZES[ring]
        for position in range(consumer, consumer + waiting):
            record[ring][position % capacity] = (position % 2**20) * FRAME
    return record


@given(exponent=st.integers(1, 7), data=st.data())
def test_entries_are_read_right_wherever_a_ring_has_turned_to(
    exponent: int, data: st.DataObject
) -> None:
    size = 1 << exponent
    ends = {
        ring: (data.draw(st.integers(0, 2**40)), data.draw(st.integers(0, size * times)))
        for ring, times in SIZES.items()
    }
    state = RingState(
        record_of(size, ends), worker=0, frame_size=FRAME, has_stream=False, with_entries=True
    )
    for name, (consumer, waiting) in ends.items():
        ring = state.rings[name]  # type: ignore[index]
        assert ring.waits().sum() == ring.waiting == waiting
        assert ring.line() == [position % 2**20 for position in range(consumer, consumer + waiting)]
    columns = rows(state, None)
    assert set(columns) == set(NUMBERS)
    for source in columns.values():
        assert len({len(column) for column in source.values()}) == 1
