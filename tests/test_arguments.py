"""Whatever a public door is given, it works or says which argument is wrong, and nothing is left.

A public function, parameter, method or attribute that is new is tried without a change here.
"""

from __future__ import annotations

import gc
import inspect
import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import numpy as np
import pytest
from support.batches import batch_of
from support.objects import HEAD, compiled
from support.odd_values import WILD
from support.public_calls import Door, of_brackets, of_names, of_objects, public_names
from support.waiting import eventually
from traitlets import TraitError

from xdplab import (
    GALLERY,
    Capture,
    ConfigurationError,
    DropReasons,
    Engine,
    FilterRules,
    Lab,
    Ledger,
    Link,
    Program,
    Stream,
    Traffic,
    XdplabError,
    doctor,
    tune,
)
from xdplab.experiments.metrics import take
from xdplab.experiments.sweep import Grid
from xdplab.fields import FRAME
from xdplab.knobs.table import names_of_home

_BY_ANY_NAME = {"changes": names_of_home("sockets"), "knobs": ("batch", "wait")}
"""Some names that a door with ``**`` takes."""

_BRIEF = {
    "seconds": 0.01,
    "timeout": 0.01,
    "budget": 2,
    "progress": False,
    "checks": {},
    "paths": ["xsk spin"],
}
"""What is given where a door takes it, so that none takes long."""

_NEVER_NONE = ("checks", "paths")
"""Of these, where None is not nothing but the most."""

LEFT_OUT = {
    "xdplab.widgets.live_figure.LiveFigure.failed": "the pump calls it, with an exception",
    "xdplab.widgets.live_figure.LiveFigure.hear": "a page calls it, with a browser's message",
    "xdplab.widgets.live_figure.LiveFigure.error =": "the widget's own word to the browser",
}
"""Doors that are not tried, and why."""

_UNNAMED = "does not name it: "

_WIDGETS = "xdplab.widgets."


# A lab with an XDP program in it is the kernel backend's.
pytestmark = pytest.mark.privilege


class World:
    """Two labs, one with something on it, and what doors are given beside what is tried."""

    def __init__(self, backend: str | None, folder: Path) -> None:
        self.lab, self.free = Lab(backend=backend), Lab(backend=backend)
        self.other = Lab(backend=backend)
        # What runs XDP programs is not simulated.
        self.real = Lab(backend="kernel")
        self.program = Program(GALLERY["filter"], self.real.port)
        self.link = self.program.attach()
        str(self.program.variables)  # which are mapped when first read
        self._labs = self.lab, self.free, self.other, self.real
        self.engine = Engine(self.lab.port)
        self.capture = Capture(self.other.port)
        self.flow = Traffic(self.other.peer, self.other.port, rate=10_000).start()  # ends waits
        self.traffic = Traffic(self.lab.peer, self.lab.port)
        self.ledger = Ledger(self.engine, self.traffic)
        self.engine.start()
        self.measured = take(self.engine, None, 0.01)
        self.tuning = tune(
            self.engine, None, knobs={"batch": [16, 64]}, budget=2, seconds=0.01, progress=False
        )
        self.engine.stop()
        telemetry = self.engine.telemetry
        self._region: int | None = os.open(self.engine.telemetry_path, os.O_RDONLY)
        self.good: dict[str, object] = {
            "engine": self.engine,
            "engines": self.engine,
            "tuning": self.tuning,
            "lab": self.lab,
            "interface": self.free.port,
            "source": b"\x7fELF",
            "sender": self.free.peer,
            "receiver": self.free.port,
            "settings": {"batch": 16},
            "names": ["batch"],
            "preset": "latency",
            "counts": telemetry.latency().counts,
            "latency": telemetry.latency(),
            "measurement": self.measured.measurement,
            "descriptor": self._region,
            "path": str(folder / "saved.csv"),
            "function": int,
            "arguments": ["true"],
            "target_address": self.lab.peer.ipv4,
            "name": self.lab.port.interface.name,
            "rollover": 0,
            "cpus": [0],
            "other": self.free.peer.interface,
            "feeds": {},
            "field": "udp.dport",
            "header": "udp",
            "text": "198.18.0.1",
            "area": np.zeros(64, np.uint8),
            "frames": np.array([(0, 64, 0)], FRAME),
            "values": 5,
            "program": self.program,
            "link": self.link,
            "rules": FilterRules(self.program),
        }

    def objects(self) -> list[object]:
        """Return one of each public class."""
        simulated = [self.lab.port.faults] if self.lab.simulated else []
        return [
            *(self.lab, self.lab.port, self.lab.port.interface, self.engine, self.engine.napi),
            *(self.engine.telemetry, self.engine.telemetry.latency()),
            *(self.traffic, Stream(self.lab.port), self.ledger, self.ledger.read()),
            *(Grid(self.engine, batch=[16]), self.tuning, *simulated),
            *(self.capture, self.capture.receivers[0], batch_of([bytes(60)] * 3)),
        ]

    def given(self, door: Door) -> dict[str, object]:
        """Return what a door must be given, and what keeps it short."""
        taken = {parameter.name: parameter for parameter in door.parameters}
        # None is no time at all.
        brief = {
            n for n in _BRIEF.keys() & taken if taken[n].default is not None or n in _NEVER_NONE
        }
        knobs = taken.get("knobs")
        sweeps = knobs is not None and knobs.kind is knobs.VAR_KEYWORD
        return {
            **door.needed(self.good),
            **{name: _BRIEF[name] for name in brief},
            **({"batch": [16]} if sweeps else {}),
        }

    def close(self) -> None:
        """Give everything back."""
        if self._region is not None:
            os.close(self._region)
            self._region = None
        for made in (
            *(self.traffic, self.flow, self.engine, self.capture),
            self.program,
            *self._labs,
        ):
            made.close()


class ProgramWorld:
    """A program of a lab, and what its doors are given beside what is tried."""

    def __init__(self, lab: Lab, program: Program) -> None:
        self._good: dict[str, object] = {
            "interface": lab.port,
            "interfaces": lab.port,
            "program": program,
            "source": b"\x7fELF",
            "frames": bytes(60),
            "key": 0,
            "value": 0,
        }

    def given(self, door: Door) -> dict[str, object]:
        """Return what a door must be given, and what keeps it short."""
        taken = {parameter.name for parameter in door.parameters}
        brief = {name: value for name, value in _BRIEF.items() if name in taken}
        return {**door.needed(self._good), **brief}


MAPS = """
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, __u32);
         __type(value, __u64); } counts SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u64);
         __type(value, __u64); } flows SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_XSKMAP); __uint(max_entries, 1); __type(key, __u32);
         __type(value, __u32); } sockets SEC(".maps");
"""


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch,
    privileged: None,
    tmp_path: Path,
) -> Iterator[World]:
    made = World("soft", tmp_path)
    monkeypatch.setattr(doctor, "CHECKS", {})  # which take seconds
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield made
    made.close()


@pytest.fixture
def thread_errors(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda died: found.append(repr(died.exc_value)))
    return found


def test_functions_and_constructors(world: World, thread_errors: list[str]) -> None:
    doors = of_names(named(lambda name: not name.startswith(_WIDGETS)))
    assert try_all(doors, world) == []
    assert thread_errors == []


def test_methods_and_attributes(world: World, thread_errors: list[str]) -> None:
    assert try_all(of_objects(world.objects()), world) == []
    assert thread_errors == []


def test_constructors_of_widgets(world: World, thread_errors: list[str]) -> None:
    world.good["figure"] = pytest.importorskip("bokeh.plotting").figure()
    world.good["widgets"] = pytest.importorskip("ipywidgets").HTML("words")
    assert try_all(of_names(named(lambda name: name.startswith(_WIDGETS))), world) == []
    assert thread_errors == []


def test_methods_and_traits_of_widgets(world: World, thread_errors: list[str]) -> None:
    world.good["figure"] = pytest.importorskip("bokeh.plotting").figure()
    world.good["widgets"] = pytest.importorskip("ipywidgets").HTML("words")
    doors = of_names(named(lambda name: name.startswith(_WIDGETS)))
    widgets = [door.call(**world.given(door)) for door in doors]
    tried = {door.name: door for door in of_objects(widgets)}
    left_out = [tried.pop(name) for name in LEFT_OUT]
    assert try_all(tried.values(), world) == []
    assert all(list(try_one(door, world)) for door in left_out), "it could be tried"
    assert thread_errors == []


@pytest.mark.kernel
def test_programs_and_what_they_have(lab: Lab, thread_errors: list[str]) -> None:
    source = compiled(f"""{HEAD}{MAPS}
        volatile int seen; const volatile int most = 3; char words[5];
        SEC("xdp") int program(struct xdp_md *context)
        {{
            __u32 key = 0;
            __u64 *value = bpf_map_lookup_elem(&counts, &key), flow = 1;
            __u64 *event = bpf_ringbuf_reserve(&events, 8, 0);
            if (event)
                bpf_ringbuf_submit(event, 0);
            bpf_map_update_elem(&flows, &flow, &flow, 0);
            seen += most, words[0]++;
            return bpf_redirect_map(&sockets, context->rx_queue_index, value ? 2 : 1);
        }}""")
    with Program(source, lab.port) as program, program.attach() as link:
        runs, counts = program.test_run(bytes(60)), program.statistics()
        program.maps["events"].read()  # the first opens what it waits by
        things = [program, link, program.variables, program.disassemble(), runs, counts, GALLERY]
        things += [each for each in program.maps.values() if each.name != ".rodata"]  # frozen
        if lab.backend == "kernel":
            things.append(DropReasons(lab.port))
        world = ProgramWorld(lab, program)
        doors = [*of_objects(things), *of_brackets(things)]
        doors += of_names({"Program": Program, "Link": Link, "DropReasons": DropReasons})
        ends = [door for door in doors if door.name.endswith((".close", ".release"))]
        assert try_all([door for door in doors if door not in ends], world) == []
    assert thread_errors == []


def test_what_was_closed_works_or_says_so(world: World) -> None:
    doors = [*of_names(named(lambda _name: True)), *of_objects(world.objects())]
    world.close()
    found = [outcome(door, world.given(door), "") for door in doors]
    assert [words for words in found if words] == []


def named(wanted: Callable[[str], bool]) -> dict[str, object]:
    return {name: made for name, made in public_names().items() if wanted(name)}


def try_all(doors: Iterable[Door], world: World | ProgramWorld) -> list[str]:
    """Give each argument of each door each value; return what went wrong, and what is left."""
    before = held()
    wrong = [words for door in doors for words in try_one(door, world) if words]
    gc.collect()
    # Threads take a moment to end.
    if not eventually(lambda: not held() - before):
        wrong.append(f"left: {held() - before}")
    return wrong


def try_one(door: Door, world: World | ProgramWorld) -> Iterator[str]:
    refused = False  # also with what is right, as by an engine that does not run
    for parameter in door.parameters:
        for name in names_of(parameter):
            for label, make in WILD.items():
                words = outcome(door, {**world.given(door), name: make()}, name)
                if words.startswith(_UNNAMED):
                    refused = refused or outcome(door, world.given(door), name) == words
                    words = "" if refused else words
                if words:
                    yield f"{door.name}({name}={label}): {words}"


def names_of(parameter: inspect.Parameter) -> tuple[str, ...]:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return ()  # handed on to a function of the user's
    if parameter.kind is parameter.VAR_KEYWORD:
        return (*_BY_ANY_NAME.get(parameter.name, ()), "bacth")
    return (parameter.name,)


def outcome(door: Door, given: dict[str, object], name: str) -> str:
    """Call a door; return nothing where it works or refuses as it should."""
    try:
        made = door.call(**given)
        if isinstance(made, AbstractContextManager):
            with made:
                pass
        elif close := getattr(made, "close", None):
            close()
    except ConfigurationError as error:
        return "" if name in str(error) else f"{_UNNAMED}{error}"
    except XdplabError:
        return ""
    except (TypeError, TraitError) as error:
        return "" if name and name in str(error) else f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}"
    return ""


def held() -> Counter[str]:
    """Count what a process holds: threads, and descriptors by what they are of."""
    names = [thread.name for thread in threading.enumerate()]
    found = Counter(name for name in names if name != "tqdm_monitor")  # which stays, once there
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # of the listing itself
            found[str(descriptor.readlink()).partition(":")[0]] += 1
    return found
