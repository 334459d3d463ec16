"""The gallery's sharder with four sockets, and a plain capture, as receivers of a benchmark."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.metadata import version
from typing import Any

from xdplab.bench.gallery_program import REPEAT, frame_of
from xdplab.bench.receiver import Received, figures
from xdplab.bench.wire import Wire
from xdplab.engine.engine import Engine
from xdplab.experiments.measure import measure_whole
from xdplab.net.stream import STREAM_PORT
from xdplab.xdp.gallery import GALLERY
from xdplab.xdp.program import Program

SHARDS = 4
# Of all workers together, so that each receiver's frames take as much of the caches.
_ENTRIES = 2048
# The number of a generator's frame, native/include/traffic.h: each is another key.
_SHARDING = {"port": STREAM_PORT, "shards": SHARDS, "key_at": 2, "key_bytes": 8}


class CaptureReceiver:
    """Delivers a run's traffic to a worker's socket.

    Parameters
    ----------
    name, beside
        Its name, and that of the one with which it is compared.
    sockets
        1, by the engine's own program, or `SHARDS`, by the sharder to as many workers'.
    wait
        The wait strategy.
    """

    program = "xdplab"

    def __init__(self, name: str, beside: str, sockets: int, wait: str) -> None:
        self.name = name
        self.settings: dict[str, Any] = {
            "beside": beside,
            "sockets": sockets,
            "wait": wait,
            "ring_size": _ENTRIES // sockets,
        }
        self.version: str | None = version("xdplab")

    def missing(self) -> str | None:
        """Return None: the program comes with the package."""
        return None

    def run(self, wire: Wire, seconds: float) -> Received:
        """Measure once; all workers are on one core.

        Raises
        ------
        XdplabError
            When the engine can't be opened, or it or the generator ended by itself.
        """
        run_ns = None
        with ExitStack() as held:
            wanted: dict[str, Any] = {name: self.settings[name] for name in ("wait", "ring_size")}
            wanted["cpu"] = wire.worker
            if self.settings["sockets"] > 1:
                program = Program(GALLERY["sharder"], wire.lab.port, constants=_SHARDING)
                wanted |= {"program": held.enter_context(program), "sockets": SHARDS}
                run_ns = program.test_run(frame_of(wire), repeat=REPEAT)[0].nanoseconds
            engine = held.enter_context(Engine(wire.lab.port, **wanted))
            wire.warm_up()
            measured = measure_whole(engine, wire.traffic, seconds)
        counts = measured.sent or 0, measured.rx_packets
        return Received(measured.seconds, *counts, {**figures(measured), "run_ns": run_ns})
