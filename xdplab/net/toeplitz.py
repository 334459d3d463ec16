"""Toeplitz's hash, by which a card chooses a flow's queue.

Microsoft's document "RSS hashing types" defines the order of the fields, and has the example key
and results that our tests compare with.
"""

from __future__ import annotations

from ipaddress import ip_address


def toeplitz(key: bytes, fields: bytes) -> int:
    """Hash the fields of a flow.

    For each bit of the fields that is set, 32 bits of the key, from that bit's place on, are added
    without carry.

    Parameters
    ----------
    key
        At least 4 bytes longer than the fields; bits beyond its end are 0.
    fields
        `hashed_fields` of the flow.

    Returns
    -------
    int
        Of 32 bits.
    """
    long = int.from_bytes(key.ljust(len(fields) + 4, b"\0")[: len(fields) + 4])
    places = 8 * len(fields)
    bits, result = int.from_bytes(fields), 0
    for place in range(places):
        if bits >> (places - 1 - place) & 1:
            result ^= long >> (places - place) & 0xFFFF_FFFF
    return result


def hashed_fields(
    source: str, destination: str, source_port: int | None, destination_port: int | None
) -> bytes:
    """Return the fields of a flow in the hash's order; ports of None are no part of it."""
    fields = ip_address(source).packed + ip_address(destination).packed
    if source_port is not None and destination_port is not None:
        fields += source_port.to_bytes(2) + destination_port.to_bytes(2)
    return fields
