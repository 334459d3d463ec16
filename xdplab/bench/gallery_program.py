"""A program of the gallery, as a benchmark's receiver."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from xdplab.bench.receiver import Received
from xdplab.bench.wire import Wire, unanswered
from xdplab.ledger.counting_points import device_packets
from xdplab.net.stream import STREAM_PORT, Stream
from xdplab.xdp.balancer.balancer import Balancer
from xdplab.xdp.filter_rules import FilterRules
from xdplab.xdp.gallery import GALLERY
from xdplab.xdp.policy import Policy
from xdplab.xdp.program import Program

REPEAT = 1_000_000
_SERVER = "198.18.255.1"  # which is nowhere: frames end at the generator's interface


class GalleryReceiver:
    """Gives a run's traffic to a program of the gallery, and counts the packets that it was given.

    Parameters
    ----------
    name
        The program's.
    beside
        The least program that gives the same verdict, with which it is compared.
    """

    program = "xdplab"

    def __init__(self, name: str, beside: str) -> None:
        self.name = name
        self.settings: dict[str, Any] = {"beside": beside}
        self.version: str | None = version("xdplab")

    def missing(self) -> str | None:
        """Return None: the program comes with the package."""
        return None

    def run(self, wire: Wire, seconds: float) -> Received:
        """Measure once.

        Raises
        ------
        XdplabError
            When the kernel refuses the program, or the generator ended by itself.
        """
        port = wire.lab.port
        with unanswered(port), Program(GALLERY[self.name], port) as program:
            _prepare(self.name, program, wire)
            alone = program.test_run(frame_of(wire), repeat=REPEAT)[0].nanoseconds
            program.attach()
            if self.name == "balancer":  # what it wrapped once is to no service of its own
                with program.statistics() as counts:
                    wire.warm_up()
                    alone = round(counts.nanoseconds)
            else:
                wire.warm_up()
            before = device_packets(port.interface)
            sent, sending = wire.send(seconds)
            given = device_packets(port.interface) - before
        return Received(sending, sent, given, {"run_ns": alone})


def _prepare(name: str, program: Program, wire: Wire) -> None:
    """Have it do its work on each packet of the generator."""
    if name == "policy":
        policy = Policy(program)
        policy.identify("sender", wire.lab.peer.ipv4)
        policy.identify("receiver", wire.lab.port.ipv4)
        policy.deny("sender", "receiver", "udp", STREAM_PORT)
    if name == "filter":
        FilterRules(program)[f"udp {STREAM_PORT}"] = "drop"
    if name == "reflect":
        program.variables["port"] = 0  # a frame comes back with its ports swapped, for the next run
    if name == "balancer":
        to = Balancer(program).add_service(program.interface.ipv4, STREAM_PORT, "udp")
        to.add_server(_SERVER)


def frame_of(wire: Wire) -> bytes:
    """Make a frame as the generator does."""
    stream = Stream(wire.lab.port, size=wire.traffic.size)
    headers: Any = stream.config(wire.lab.peer.interface)["headers"]
    return bytes(headers).ljust(wire.traffic.size, b"\0")
