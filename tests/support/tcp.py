"""Commands on hosts, and TCP between them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from support.waiting import eventually
from xdplab import Host


def done(host: Host, *words: str) -> str:
    """Run a command that must succeed."""
    ran = host.command(words)
    assert ran.returncode == 0, (words, ran.stderr)
    return ran.stdout


def move_tcp(client: Host, server: Host, address: str, megabytes: int) -> None:
    """Move a stream with iperf3."""
    with ThreadPoolExecutor() as pool:
        serving = pool.submit(server.command, ["iperf3", "-s", "-1"], timeout=60)
        reports = []

        def is_through() -> bool:
            sender = ["iperf3", "-c", address, "-n", f"{megabytes}M", "-J"]
            reports.append(json.loads(client.command(sender).stdout))
            return "error" not in reports[-1]

        # Refused until the server listens.
        assert eventually(is_through), reports[-1]["error"]
        assert serving.result().returncode == 0
    assert reports[-1]["end"]["sum_sent"]["bytes"] >= megabytes << 20
