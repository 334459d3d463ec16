"""io_uring's zero-copy receive in its form without a device: the newest kernel has it."""

from __future__ import annotations

from xdplab.bench import BENCHMARKS

_SINCE = (7, 1)


def test_a_tcp_stream_is_received_complete_or_the_kernel_is_said_to_be_too_old(
    release: tuple[int, int],
) -> None:
    result = BENCHMARKS["tcp"].run(rounds=2, seconds=2, quiet=True)
    for entry in result["entries"]:
        if entry["name"] == "tcp-zcrx" and release < _SINCE:
            assert entry["status"] == "failed"
            assert "EINVAL" in entry["reason"]
            assert "Linux 7.1" in entry["reason"]
            continue
        assert entry["status"] == "measured", entry["reason"]
        for run in entry["runs"]:
            assert run["complete"], entry
            # More than the pages that it has: it gave them back.
            assert run["received"] > 8 << 20, entry
        print(entry["name"], entry["runs"])
