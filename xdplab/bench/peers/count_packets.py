"""A program, not a module: `python count_packets.py socket|sniff INTERFACE` counts packets.

It prints when it is ready, and its count for each line of input; at "quit", it ends.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
from itertools import count

ETH_P_ALL = 3  # linux/if_ether.h: every protocol

counted = 0


def by_socket(interface: str) -> None:
    """Count with Python's `socket`: one packet a call, into the same buffer."""
    global counted
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    raw.bind((interface, 0))
    receive, buffer = raw.recv_into, bytearray(65536)
    say_ready(platform.python_version())
    for counted in count():  # noqa: B007 - those before it
        receive(buffer)


def by_sniff(interface: str) -> None:
    """Count with scapy's `sniff`, which dissects each packet and keeps none."""
    import scapy  # noqa: PLC0415 - the other way does without
    from scapy.sendrecv import sniff  # noqa: PLC0415

    def see(_packet: object) -> None:
        global counted  # noqa: PLW0603 - one program, one count
        counted += 1

    version = f"{scapy.__version__}, Python {platform.python_version()}"
    sniff(iface=interface, store=False, prn=see, started_callback=lambda: say_ready(version))


def say_ready(version: str) -> None:
    """Print that counting has begun."""
    print("ready:", version, flush=True)


def answer() -> None:
    """Print the count for each line of input, until there are no more."""
    for line in sys.stdin:
        if line == "quit\n":
            break
        print("counted", counted, flush=True)
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=answer, daemon=True).start()
    {"socket": by_socket, "sniff": by_sniff}[sys.argv[1]](sys.argv[2])
