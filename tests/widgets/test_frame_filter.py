"""The filter of the frame table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdplab import ConfigurationError
from xdplab.native.records import SAMPLE_PAYLOAD
from xdplab.widgets.frames.feed import FrameRow
from xdplab.widgets.frames.filter import FrameFilter

# UDP from 198.18.0.1, port 1024, to port 9.
FRAME = bytes.fromhex(
    "0200000000010200000000020800450000320000400040110000c6120001c61200020400000900"
).ljust(64, b"\0")


def row(**changes: object) -> FrameRow:
    sample = {"bytes": np.frombuffer(FRAME, np.uint8), "flags": changes.pop("flags", 0)}
    cells = {
        "number": 1,
        "worker": 0,
        "interface": "port0",
        "time": "14:03:05.123456",
        "queue": 2,
        "verdict": "reflect",
        "source": "198.18.0.1:1024",
        "destination": "198.18.0.2:9",
        "protocol": "UDP",
        "length": 64,
        "captured": 64,
        "summary": "IP / UDP 198.18.0.1:1024 > 198.18.0.2:discard / Raw",
        "sample": sample,
    }
    return FrameRow(**(cells | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "udp", "port 9", "src host 198.18.0.1", "icmp or udp", "not tcp", "less 64"),
        *("queue:2", "!queue:1", "Verdict:Reflect", "verdict:reflect udp", "udp queue:2"),
        *("queue:2 and udp", "udp and queue:2", "udp && !verdict:drop && port 9", "queue:02"),
    ],
)
def test_these_let_it_through(text: str) -> None:
    assert FrameFilter(text)(row())


@pytest.mark.parametrize(
    "text",
    [
        *(
            "tcp",
            "port 1234",
            "not udp",
            "greater 65",
            "src host 198.18.0.2",
            "queue:1",
            "!queue:2",
        ),
        *("verdict:drop", "udp and queue:3", "tcp queue:2", "queue:2 queue:3"),
    ],
)
def test_these_do_not(text: str) -> None:
    assert not FrameFilter(text)(row())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("proto:udp", "syntax error"),
        ("udp and", "syntax error"),
        ("queue:2 or udp", "syntax error"),
        ("verdict:dorp", "verdict='dorp' is none of: .*Did you mean 'drop'"),
        ("queue:x", "queue:x needs the number of a queue, such as queue:0"),
    ],
)
def test_what_is_no_filter_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        FrameFilter(text)


def test_a_truncated_frame_has_its_real_length_and_a_payload_no_headers() -> None:
    assert FrameFilter("udp and greater 1000")(row(length=1000))
    payload = row(flags=SAMPLE_PAYLOAD)
    assert not FrameFilter("udp")(payload)
    assert FrameFilter("queue:2")(payload)


@given(st.text())
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        chosen = FrameFilter(text)
    except ConfigurationError:
        return
    assert isinstance(chosen(row()), bool)
