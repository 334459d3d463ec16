"""Values of the NAPI setting `threaded`: where a NAPI instance runs."""

from __future__ import annotations

from typing import Literal

Threaded = bool | Literal["busy-poll"]

THREADED: tuple[Threaded, ...] = (False, True, "busy-poll")
"""In the order of the kernel's `enum netdev_napi_threaded` (linux/netdev.h, Linux 6.19)."""
