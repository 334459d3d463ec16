"""A lab in a real Jupyter kernel, where an event loop runs while a cell does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from support.ended_namespaces import Witness

# Namespaces are looked for, which are the kernel's.
pytestmark = [pytest.mark.usefixtures("privileged"), pytest.mark.kernel]

Kernel = tuple[KernelManager, BlockingKernelClient]


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client: BlockingKernelClient, cell: str) -> str:
    """Run a cell; return what it printed, or raise what it raised."""
    printed: list[str] = []

    def collect(message: dict[str, object]) -> None:
        content = message["content"]
        assert isinstance(content, dict)
        printed.append(content.get("text", ""))

    reply = client.execute_interactive(cell, timeout=60, output_hook=collect)
    if reply["content"]["status"] != "ok":
        raise AssertionError("\n".join(reply["content"]["traceback"]))
    return "".join(printed)


def witness(manager: KernelManager) -> Witness:
    return Witness(manager.provisioner.pid)  # type: ignore[union-attr]


def test_a_lab_works_inside_a_cell(kernel: Kernel) -> None:
    manager, client = kernel
    run(client, "import asyncio; assert asyncio.get_running_loop()")
    run(client, "from xdplab.lab.lab import Lab; lab = Lab(queues=2)")
    seen = witness(manager)
    assert seen.left() == 2
    assert "received=3" in run(client, "print(lab.peer.ping(lab.port.ipv4, count=3, interval=1))")
    assert "rx_packets" in run(client, "print(lab.port.interface.link_statistics())")
    run(client, "lab.close()")
    assert seen.sees_the_end()


def test_running_a_cell_again_replaces_its_lab(kernel: Kernel) -> None:
    manager, client = kernel
    cell = "from xdplab.lab.lab import Lab\nlab = Lab()"
    run(client, cell)
    seen = witness(manager)
    run(client, cell)
    assert seen.sees_the_end()
    assert witness(manager).left() == 2


@pytest.mark.parametrize("now", [True, False], ids=["killed", "asked"])
def test_a_kernel_restart_leaves_nothing_behind(kernel: Kernel, now: bool) -> None:
    manager, client = kernel
    run(client, "from xdplab.lab.lab import Lab\nlab = Lab()")
    seen = witness(manager)
    assert seen.left() == 2
    background = "import subprocess; print(subprocess.Popen(['setsid', 'sleep', '100']).pid)"
    sleeper = int(run(client, background))
    manager.restart_kernel(now=now)
    client.wait_for_ready(timeout=60)
    try:
        assert seen.sees_the_end()
    finally:
        os.kill(sleeper, signal.SIGKILL)
    assert "received=1" in run(
        client,
        "from xdplab.lab.lab import Lab\nwith Lab() as lab: print(lab.peer.ping('198.18.0.1'))",
    )
