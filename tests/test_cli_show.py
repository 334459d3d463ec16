"""`xdplab show` serves an engine's page until its time is over or a signal comes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

pytestmark = pytest.mark.usefixtures("privileged")
SHOW = [str(Path(sys.executable).with_name("xdplab")), "show", "--rate", "500"]


def started(*options: str) -> tuple[subprocess.Popen[str], str]:
    """Start it, and return the address that it says."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([*SHOW, *options], stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_the_page_is_there_until_a_signal_ends_it() -> None:
    process, url = started("--port", "0", "--ring-size", "16", "--batch", "1", "--pace", "0.1")
    with urlopen(url, timeout=30) as page:
        assert b"page.js" in page.read()
    process.send_signal(signal.SIGINT)
    _, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (130, "")
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=30)


def test_it_ends_by_itself_after_its_time() -> None:
    process, url = started("--port", "0", "--seconds", "0.5")
    assert url.startswith("http://127.0.0.1:")
    _, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (0, "")


def test_a_port_that_is_taken_is_named_as_it_was_typed() -> None:
    process, url = started("--port", "0")
    port = url.strip("/").rsplit(":", 1)[1]
    refused = subprocess.run(
        [*SHOW, "--port", port], capture_output=True, text=True, check=False, timeout=60
    )
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert (process.returncode, refused.returncode) == (143, 1)
    assert f"--port {port}" in refused.stderr
    assert "EADDRINUSE" in refused.stderr
