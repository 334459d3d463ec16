"""NAPI in a kernel thread of its own."""

from __future__ import annotations

import pytest

from xdplab import Host


def thread_napi(host: Host) -> None:
    """Let a kernel thread of its own take in the host's packets, where the sender did it before.

    In a lab's namespace /sys still shows the machine's devices, so this mounts another.
    """
    setting = f"/sys/class/net/{host.interface.name}/threaded"
    script = f"mount -t sysfs sysfs /sys && echo 1 > {setting}"
    done = host.command(["unshare", "--mount", "sh", "-c", script])
    if done.returncode:
        pytest.skip(f"threaded NAPI can't be switched on here: {done.stderr}")
