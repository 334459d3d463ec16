"""What a round is, drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pprint import pformat
from random import Random
from typing import Any

from xdplab import ACTIONS, PATHS, WAIT_STRATEGIES
from xdplab.configuration.groups import CHECKSUMS

SENDING = ("reflect", "echo")
_MOST_STEPS = 8
_LONGEST_PAUSE = 0.1


@dataclass(frozen=True)
class Step:
    """Something done while packets flow: a function of steps.py, and what it is called with."""

    name: str
    arguments: dict[str, Any]
    pause: float
    """Seconds before it."""


@dataclass(frozen=True)
class Recipe:
    """All that is known of a round before it is run."""

    backend: str
    kind: str
    """"capture", "sending", "joined", "stream", or "path"."""
    lab: dict[str, Any]
    engine: dict[str, Any]
    traffic: dict[str, Any]
    """Of a kind "stream", the stream's own."""
    answered: bool
    """Whether there is an engine at the far end, too, with a ledger of its own."""
    steps: list[Step] = field(default_factory=list)

    def __str__(self) -> str:
        return pformat(self, sort_dicts=False, width=100)


def draw(seed: int, number: int, backends: Sequence[str]) -> Recipe:
    """Draw a round.

    Parameters
    ----------
    seed, number
        Of the soak, and of the round in it.
    backends
        Those that can be had here.
    """
    return _Drawing(Random(f"{seed}/{number}"), backends).recipe()


class _Drawing:
    def __init__(self, random: Random, backends: Sequence[str]) -> None:
        self._random = random
        self._backend = random.choice(list(backends))
        self._simulated = self._backend == "soft"
        kinds = ["capture", "sending", "joined", "stream", *([] if self._simulated else ["path"])]
        weights = [4, 4, 2, 3, 2][: len(kinds)]
        self._kind = random.choices(kinds, weights)[0]
        self._queues = random.choice([1, 1, 2, 4])
        self._workers = random.randint(1, self._queues)

    def recipe(self) -> Recipe:
        random = self._random
        engine = self._engine()
        steps = [self._step() for _ in range(random.randint(0, _MOST_STEPS))]
        return Recipe(
            self._backend,
            self._kind,
            {"queues": self._queues, "mtu": random.choice([1280, 1500, 1500, 1500])},
            engine,
            self._traffic(),
            random.random() < 0.4 and self._kind in ("sending", "stream"),
            steps,
        )

    def _engine(self) -> dict[str, Any]:
        random = self._random
        settings: dict[str, Any]
        if self._kind == "path":
            path = random.choice([path for path in PATHS if path != "xsk"])
            settings = {"path": path, "attach": random.choice(["native", "native", "skb"])}
            if path != "xdp":  # which has no socket
                settings["socket_buffer"] = random.choice([131_072, 1 << 22])
            return settings
        settings = {
            "queue": self._some_queues(),
            "ring_size": self._ring_size(),
            "wait": random.choice(WAIT_STRATEGIES),
            "inspect": random.random() < 0.5,
            "sample_every": random.choice([0, 1, 1000]),
            "publish_interval": random.choice([0.002, 0.01, 0.05]),
            **self._layout(),
        }
        settings["batch"] = min(random.choice([1, 16, 64, 256]), settings["ring_size"])
        settings["burst"] = random.choice([1, 64, 256])
        if settings.get("multi_buffer"):
            settings["batch"] = min(max(settings["batch"], 18), settings["ring_size"])
            settings["burst"] = max(settings["burst"], 18)
        if self._kind == "sending":
            settings["action"] = random.choice(SENDING)
        if random.random() < 0.2:
            settings["attach"] = "skb"
        elif random.random() < 0.15:
            settings["metadata"] = True
        return settings

    def _some_queues(self) -> list[int]:
        return sorted(self._random.sample(range(self._queues), self._workers))

    def _ring_size(self) -> int:
        return 1 << self._random.randint(5, 13)

    def _layout(self) -> dict[str, Any]:
        layouts: list[dict[str, Any]] = [
            {},
            {},
            {"frame_size": 4096},
            {"headroom": 64},
            {"frame_size": 3000, "unaligned": True},
            {"huge_pages": "auto"},
        ]
        if not self._simulated:
            layouts.append({"multi_buffer": True})
        return dict(self._random.choice(layouts))

    def _traffic(self) -> dict[str, Any]:
        random = self._random
        settings: dict[str, Any] = {
            "rate": random.choice([1000, 20_000, 100_000, "max"]),
            "size": random.choice([60, 64, 256, 1280, 1514]),
            "flows": random.choice([1, 16]),
        }
        if self._kind == "stream":
            settings["size"] = min(settings["size"], 1280)
            return settings
        settings["cpu"] = random.randrange(self._queues)  # of the cores that there are
        return settings

    def _step(self) -> Step:
        random = self._random
        draws = [self._turn, self._turn, self._stop, self._read, self._pause_sender, self._ping]
        if self._kind != "path":
            draws += [self._reconfigure] * 3
        if self._simulated:
            draws += [self._faults] * 2
        drawn = random.choice(draws)
        name = drawn.__name__.removeprefix("_")
        return Step(name, drawn(), random.uniform(0, _LONGEST_PAUSE))

    def _turn(self) -> dict[str, Any]:
        random = self._random
        values: dict[str, list[Any]] = {
            "batch": [1, 16, 32, 256],
            "burst": [1, 64, 1000],
            "sample_every": [0, 1, 100],
            "inspect": [False, True],
        }
        if self._kind != "path":
            values |= {
                "wait": list(WAIT_STRATEGIES),
                "action": self._actions(),
                "pace": [0, 0, 0.0001, 0.01],
                "checksum": list(CHECKSUMS),
            }
        if self._kind == "stream":
            values["stream_rate"] = [1000, 50_000, "max"]
        knob = random.choice(list(values))
        return {"knob": knob, "value": random.choice(values[knob])}

    def _actions(self) -> list[str]:
        if self._kind == "joined":
            return ["drop", "forward"]
        others = ("forward", "generate", "handler", "deliver")
        usual = [action for action in ACTIONS if action not in others]
        return [*usual, "generate", "generate"] if self._kind == "stream" else usual

    def _stop(self) -> dict[str, Any]:
        return {"seconds": self._random.uniform(0, 0.05)}

    def _pause_sender(self) -> dict[str, Any]:
        return {"seconds": self._random.uniform(0, 0.05)}

    def _read(self) -> dict[str, Any]:
        return {}

    def _ping(self) -> dict[str, Any]:
        return {"version": self._random.choice(["ipv4", "ipv6"])}

    def _faults(self) -> dict[str, Any]:
        random = self._random
        name = random.choice(["jitter", "ring_full_every", "no_fill_every", "bad_descriptor_every"])
        value = random.choice([0, 0.0005] if name == "jitter" else [0, 10, 1000])
        return {"end": random.choice(["port", "peer"]), "name": name, "value": value}

    def _reconfigure(self) -> dict[str, Any]:
        random = self._random
        changes: list[dict[str, Any]] = [
            {"ring_size": self._ring_size()},
            {"ring_size": self._ring_size(), "frame_size": 4096, "unaligned": False},
            {"frame_size": 2048, "unaligned": False},
            {"frame_size": 3000, "unaligned": True},
            {"headroom": random.choice([0, 64])},
            {"huge_pages": random.choice([False, "auto"])},
            {"multi_buffer": random.random() < 0.5},
            {"attach": random.choice(["native", "skb"])},
            {"bind": random.choice(["copy", "zero-copy"])},  # the latter is refused
            {"cpu": 0},
            {},
        ]
        if self._queues > 1:
            changes.append({"queue": self._some_queues()})
        return dict(random.choice(changes))
