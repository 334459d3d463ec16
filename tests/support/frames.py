"""Whole frames: sent from a socket, and seen by an engine."""

from __future__ import annotations

import socket

from xdplab import Engine, Host


def frames_of(engine: Engine) -> list[bytes]:
    """Return the frames that an engine which samples every one has seen."""
    samples, _ = engine.telemetry.samples()
    return [bytes(sample["bytes"][: sample["captured"]]) for sample in samples]


def raw_socket(host: Host) -> socket.socket:
    """Open a socket that sends and receives whole frames."""
    raw = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    raw.bind((host.interface.name, 0))
    raw.settimeout(30)
    return raw
