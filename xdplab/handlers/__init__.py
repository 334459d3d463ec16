"""Handlers: functions at native speed that say what becomes of each packet."""

from xdplab.handlers.compiling import CHandler, c_handler
from xdplab.handlers.handler import Handler
from xdplab.handlers.signature import PACKET, signature
from xdplab.native import lib

DROP: int = lib.XDPLAB_DROP
"""Verdict: the packet's frame goes back to the fill ring."""

SEND_BACK: int = lib.XDPLAB_SEND_BACK
"""Verdict: the packet leaves, as it is now, by the interface that it came from."""

FORWARD: int = lib.XDPLAB_FORWARD
"""Verdict: the packet leaves by the other interface of an engine with ``forward_to``."""

DELIVER: int = lib.XDPLAB_DELIVER
"""Verdict: the packet goes to Python, of a `Capture`."""

__all__ = [
    "DELIVER",
    "DROP",
    "FORWARD",
    "PACKET",
    "SEND_BACK",
    "CHandler",
    "Handler",
    "c_handler",
    "signature",
]
