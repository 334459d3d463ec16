"""Whatever happens to an AF_XDP socket, the soft NIC says of it what the kernel says.

The scenarios are in tests/native/soft_scenarios.c, which plays each to a socket of the kernel's or
to a simulated one, and prints the six figures of XDP_STATISTICS, the program's verdicts, whether
the kernel asks to be woken for the fill ring, how far it came in each of the four rings, and what
it left in the RX and the completion ring. For the TX ring it asks each time, once it has come to
its end.
"""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from xdplab import Lab, _engine
from xdplab.native.objects import program_path

SCENARIOS = re.findall(
    r"^\t(?:SCENARIO\(|NAMED\(\"|SENDING\(\")(\w+)",
    (Path(__file__).parent / "native" / "soft_scenarios.c").read_text(),
    re.MULTILINE,
)


def driver() -> Path:
    """Where meson built it, beside the engine."""
    built = (folder / "tests/native/soft_scenarios" for folder in Path(_engine.__file__).parents)
    return next(path for path in built if path.exists())


def outcomes(*arguments: str, packets: tuple[int, ...] = ()) -> dict[str, list[str]]:
    """Play the table, and return what is said of each scenario."""
    played = subprocess.run(
        [driver(), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        pass_fds=packets,
    )
    assert played.returncode == 0, played.stderr
    lines = (line.partition(": ") for line in played.stdout.splitlines())
    return {name: said.split(" ") for name, _, said in lines}


@pytest.fixture(scope="module")
def simulated() -> dict[str, list[str]]:
    return outcomes("soft")


@pytest.fixture(scope="module")
def real(privileged: None) -> dict[str, list[str]]:
    with Lab(backend="kernel") as lab:
        port, peer = lab.port.interface, lab.peer.interface
        with peer.namespace.run(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0) as packets:
            packets.bind((peer.name, 0))
            return port.namespace.run(
                outcomes,
                "kernel",
                str(port.index),
                str(packets.fileno()),
                program_path("capture").decode(),
                packets=(packets.fileno(),),
            )


def test_the_table_is_played_as_it_is_written(simulated: dict[str, list[str]]) -> None:
    assert len(SCENARIOS) > 50
    assert list(simulated) == SCENARIOS


@pytest.mark.privilege
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_soft_nic_says_what_the_kernel_says(
    simulated: dict[str, list[str]], real: dict[str, list[str]], scenario: str
) -> None:
    assert simulated[scenario] == real[scenario]
