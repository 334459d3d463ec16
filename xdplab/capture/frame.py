"""A batch as a table of pandas."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from xdplab.fields import FIELDS

if TYPE_CHECKING:
    from xdplab.capture.batch import Batch

_USUAL = ("ipv4.src", "ipv4.dst", "ipv6.src", "ipv6.dst", "ip.protocol")
_PORTS = ("udp.sport", "udp.dport", "tcp.sport", "tcp.dport")


def frame_of(batch: Batch, names: Sequence[str]) -> pd.DataFrame:
    """Implement `Batch.to_frame`."""
    columns: dict[str, Any] = {
        "time": pd.to_datetime(batch.timestamps, unit="ns", utc=True),
        "length": batch.lengths,
        "queue": batch.queues,
    }
    for name in names or (*_USUAL, *_PORTS):
        columns[name] = _column(name, batch[name])
    return pd.DataFrame(columns)


def _column(name: str, values: Any) -> Any:
    kind = FIELDS[name].kind
    lacking: Any = np.ma.getmaskarray(values)
    found = np.ma.getdata(values)
    if kind == "number":
        return pd.arrays.IntegerArray(found.copy(), lacking.copy())
    lacking = lacking if lacking.ndim < 2 else lacking.any(axis=1)
    texts = [
        pd.NA if lacks else _text(kind, value) for value, lacks in zip(found, lacking, strict=True)
    ]
    return pd.array(texts, dtype="string")


def _text(kind: str, value: Any) -> str:
    if kind == "mac":
        return int(value).to_bytes(6).hex(":")
    return str(IPv4Address(int(value)) if kind == "ipv4" else IPv6Address(value.tobytes()))
