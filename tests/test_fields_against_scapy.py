"""Header fields are read and written as scapy does: the same answer, or a masked one."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scapy.packet import Packet
from support.packets import answers, packets, placed, with_right_checksums

from xdplab.fields import FIELDS, read, write


def read_all(frames: list[bytes]) -> list[dict[str, Any]]:
    """Return the fields of each frame that are not masked."""
    area, where = placed(frames, gap=3)
    found: list[dict[str, Any]] = [{} for _ in frames]
    for name, field in FIELDS.items():
        column = read(name, area, where)
        for answer, value, masked in zip(found, column.data, column.mask, strict=True):
            if not np.any(masked):
                answer[name] = value.tobytes() if field.shape else int(value)
            else:
                assert np.all(masked) and not np.any(value)
    return found


@given(st.lists(packets, min_size=1, max_size=5))
def test_every_field_of_whole_packets_is_that_of_scapy(many: list[Packet]) -> None:
    frames = [bytes(each) for each in many]
    assert read_all(frames) == [answers(frame) for frame in frames]


@given(packets, st.data())
def test_a_frame_that_is_cut_off_gives_what_the_whole_one_does_or_masked(
    packet: Packet, data: Any
) -> None:
    whole = bytes(packet)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    (found,) = read_all([cut])
    payload = found.pop("payload.length", 0)
    assert found.items() <= answers(whole).items()
    assert payload <= len(cut)


@given(packets, st.data())
def test_a_damaged_frame_gives_the_same_as_scapy_or_masked(packet: Packet, data: Any) -> None:
    frame = bytearray(bytes(packet))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(12, len(frame) - 1))] = data.draw(st.integers(0, 255))
    (found,) = read_all([bytes(frame)])
    assert found.items() <= answers(bytes(frame)).items()


@given(packets, st.data())
def test_a_field_that_is_written_keeps_the_checksums_that_scapy_computes(
    packet: Packet, data: Any
) -> None:
    frame = with_right_checksums(bytes(packet))
    there = answers(frame)
    name = data.draw(st.sampled_from([each for each in there if FIELDS[each].writable]))
    field = FIELDS[name]
    value = data.draw(
        st.binary(min_size=16, max_size=16) if field.shape else st.integers(0, 2**field.bits - 1)
    )
    area, where = placed([frame], gap=3)
    assert write(name, area, where, np.frombuffer(value, np.uint8) if field.shape else value) == 1
    written = bytes(area[:-3])
    after = answers(written)
    assert after[name] == value
    assert written == with_right_checksums(written)
    assert bytes(area[-3:]) == b"\xff" * 3
    shared = {"ipv4.tos", "ipv4.dscp", "ipv4.ecn"} if name[5:] in ("tos", "dscp", "ecn") else set()
    if name != "ipv4.fragment":
        changed = {each for each in there if after.get(each) != there[each]}
        assert changed <= {name} | shared
