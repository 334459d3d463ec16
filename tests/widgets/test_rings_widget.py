"""What the rings widget draws and says, held against what the worker's rings hold."""

from __future__ import annotations

import gc
import json
import math
import time
import weakref
from typing import Any

import pytest
from support.seen import control, figure, press, text_of, without_code
from support.seen import rows as shown_rows
from support.shown_rings import FRAME, send, state_of, step
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, Lab, Stream, Traffic
from xdplab.widgets import Rings
from xdplab.widgets.rings.figure import CENTRES
from xdplab.widgets.rings.rows import rows
from xdplab.widgets.rings.state import HOMES
from xdplab.widgets.rings.words import INKS, OUTLINE, count_words
from xdplab.widgets.style.palette import BLUE, ORANGE

SIZES = {"fill": 2, "rx": 1, "tx": 1, "completion": 1}
KERNELS, WORKERS = ORANGE, BLUE


def drawn(columns: Any, ring: str) -> dict[str, list[Any]]:
    """Return what was drawn for one ring."""
    at = [
        row
        for row, place in enumerate(zip(columns["x"], columns["y"], strict=True))
        if place == CENTRES[ring]  # type: ignore[index]
    ]
    return {name: [column[row] for row in at] for name, column in columns.items()}


def test_each_entry_is_drawn_at_its_place_with_its_frame_and_its_owner(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=16, batch=1, action="reflect")
    engine.pace = math.inf
    with engine:
        send(lab, 15)
        step(engine, 5)
        # A wire that has just been busy may take the fifth, too.
        assert eventually(lambda: engine.telemetry.rings()["completion_producer"] >= 4)
        record = engine.telemetry.rings()
        state = state_of(engine, record=record)
        entries = rows(state, None)["entries"]
    readers = {"fill": KERNELS, "rx": WORKERS, "tx": KERNELS, "completion": WORKERS}
    writers = {"fill": WORKERS, "rx": KERNELS, "tx": WORKERS, "completion": KERNELS}
    for ring, times in SIZES.items():
        size = 16 * times
        seen = drawn(entries, ring)
        waiting = {
            position % size: int(record[ring][position % size]) // FRAME
            for position in range(int(record[f"{ring}_consumer"]), int(record[f"{ring}_producer"]))
        }
        assert len(seen["number"]) == size
        for place in range(size):
            waits = place in waiting
            assert seen["number"][place] == (str(waiting[place]) if waits else "")
            assert seen["color"][place] == (readers if waits else writers)[ring]
            assert (seen["alpha"][place] == 1) == waits
            # Clockwise from the top, and within its share of the ring.
            begin, end = (math.pi / 2 - seen[edge][place] for edge in ("start", "end"))
            assert place <= begin / (2 * math.pi) * size < end / (2 * math.pi) * size <= place + 1


def test_pins_point_to_where_an_end_is_the_producers_from_outside(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=16, batch=1)
    engine.pace = math.inf
    with engine:
        send(lab, 6)
        step(engine, 2)
        state = state_of(engine)
        pins = rows(state, None)["pins"]
    rx, centre = state.rings["rx"], CENTRES["rx"]
    assert (rx.producer, rx.consumer) == (6, 2)
    producer, consumer = 2, 3  # rows of the pins of the second ring
    places = []
    for row in (producer, consumer):
        right, up = float(pins["x"][row]) - centre.x, float(pins["y"][row]) - centre.y
        turns = (0.25 - math.atan2(up, right) / (2 * math.pi)) % 1
        places.append((math.hypot(right, up), math.floor(turns * 16)))
    (outside, written), (inside, read) = places
    assert (written, read) == (6, 2)
    assert outside > inside
    assert (pins["letter"][producer], pins["letter"][consumer]) == ("P", "C")
    assert (pins["color"][producer], pins["color"][consumer]) == (KERNELS, WORKERS)
    assert pins["ink"][producer] == INKS["kernel"]


@pytest.mark.kernel  # which sends at a kick, and not before
def test_a_frame_is_found_wherever_it_goes(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=16, batch=1, action="reflect")
    engine.pace = math.inf
    with engine:
        rings = Rings(engine)
        rings.frame = 1

        def comes_to(home: str, words: str) -> bool:
            rings.refresh()
            at = state_of(engine).home_of(1)
            return at == home and words in text_of(rings)

        assert eventually(lambda: comes_to("fill", "waiting for the kernel to fill it, 1 before"))
        send(lab, 2)
        assert eventually(lambda: comes_to("rx", "frame 1: in the RX ring, waiting for the worker"))
        assert comes_to("rx", "1 before it")
        step(engine)
        assert comes_to("rx", "the next in line")
        step(engine)
        assert comes_to("tx", "in the TX ring, waiting for the kernel to send it")
        marked = shown_rows(rings, "followed_entry")
        assert (marked["x"][0], marked["y"][0]) == CENTRES["tx"]
        assert math.pi / 2 - float(marked["start"][0]) == pytest.approx(2 * math.pi / 16)
        step(engine)
        assert eventually(lambda: comes_to("completion", "in the completion ring: sent"))
        step(engine)
        assert comes_to("fill", "31 before it")


def test_the_homes_add_up_to_the_umem_at_any_time(lab: Lab) -> None:
    looks = 0
    with Engine(lab.port, ring_size=16, batch=1, action="reflect") as engine:
        assert eventually(lambda: len(state_of(engine).frames))  # the worker told of them once
        for pace in (0, 0.0002, 0.002, 0):
            engine.pace = pace
            with Traffic(lab.peer, lab.port, rate=3_000, seconds=0.5) as traffic:
                while traffic.running:
                    state = state_of(engine)
                    counts = state.counts()
                    assert tuple(counts) == HOMES
                    assert sum(counts.values()) == len(state.frames) == 32
                    assert min(counts.values()) >= 0
                    homes = [state.home_of(frame) for frame in state.frames]
                    if state.shows_entries:
                        assert {home: homes.count(home) for home in HOMES} == counts
                        looks += 1
    assert looks > 10


def test_a_frame_that_the_kernel_kept_is_in_its_hands(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=16, batch=1)
    engine.pace = math.inf
    with engine:
        # Four more than the RX ring holds, at once: one frame is kept for what could not come in.
        send(lab, 20, "max")
        assert eventually(lambda: engine.telemetry.counters()["rx_ring_full"] == 4)
        assert eventually(lambda: state_of(engine).counts()["filling"] == 1)
        state, rings = state_of(engine), Rings(engine)
        (kept,) = (frame for frame in state.frames if state.home_of(frame) == "filling")
        rings.frame = kept
        rings.refresh()
        assert "in the kernel's hands, to be filled" in text_of(rings)
        assert len(shown_rows(rings, "followed_hand")["x"]) == 1
        assert "the RX ring is full: what comes now is lost, 4 frames by now" in repr(rings)


def test_frames_of_a_stream_are_with_the_worker_until_they_are_sent(lab: Lab) -> None:
    with Engine(lab.port, ring_size=16, batch=1, stream=Stream(lab.peer)) as engine:
        engine.pace = math.inf
        engine.step(3)
        assert eventually(lambda: engine.telemetry.rings()["turns"] >= 3)
        state = state_of(engine)
        counts = state.counts()
    assert len(state.frames) == sum(counts.values()) == 48
    assert counts["worker"] > 0
    assert state.home_of(state.frames[-1]) in ("worker", "tx", "sending", "completion")


def test_each_worker_has_its_own_rings_and_frames(privileged: None) -> None:
    with Lab(queues=2) as lab, Engine(lab.port, queue=[0, 1], ring_size=16, batch=1) as engine:
        engine.pace = math.inf
        assert eventually(lambda: engine.telemetry.rings(1)["ring_size"])
        assert state_of(engine, 1).frames == range(32, 64)
        assert state_of(engine, 1).rings["fill"].line() == list(range(32, 64))
        rings = Rings(engine, worker=1)
        rings.frame = 3
        rings.refresh()
        assert "not this worker's, whose are 32 to 63" in text_of(rings)
        with pytest.raises(ConfigurationError, match="worker=2 must be a whole number, 0 to 1"):
            rings.worker = 2
        with pytest.raises(ConfigurationError, match="worker=-1"):
            Rings(engine, worker=-1)


def test_large_rings_are_arcs_as_long_as_what_they_hold(lab: Lab) -> None:
    with Engine(lab.port, ring_size=1024) as engine:
        engine.pace = math.inf
        send(lab, 256)
        assert eventually(lambda: state_of(engine).rings["rx"].waiting == 256)
        state = state_of(engine)
        entries = rows(state, 7)["entries"]
    assert not any(entries["number"])
    for ring, share in (("fill", 1 - 256 / 2048), ("rx", 0.25), ("tx", 0), ("completion", 0)):
        seen = drawn(entries, ring)
        lengths = {
            alpha == 1: (start - end) / (2 * math.pi)
            for alpha, start, end in zip(seen["alpha"], seen["start"], seen["end"], strict=True)
        }
        assert lengths.get(True, 0) == pytest.approx(share)
        assert lengths.get(False, 0) == pytest.approx(1 - share)


def test_at_full_speed_no_frame_is_named_and_small_rings_stay_rings_of_places(lab: Lab) -> None:
    with Engine(lab.port, ring_size=16, batch=1) as engine:
        assert eventually(lambda: engine.telemetry.rings()["ring_size"])
        rings = Rings(engine)
        rings.frame = 0
        rings.refresh()
        entries = shown_rows(rings, "entries")
        assert len(entries["x"]) == 32 + 3 * 16
        assert not any(entries["number"])
        assert "too quick to be followed; slow the worker down" in text_of(rings)


def test_nothing_is_sent_while_nothing_moves(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=16, batch=1)
    engine.pace = math.inf
    with engine:
        send(lab, 3)
        assert eventually(lambda: state_of(engine).rings["rx"].waiting == 3)
        rings = Rings(engine)
        feeds, positions = figure(rings).feeds, {}
        for name, feed in feeds.items():
            update = feed(None)
            assert update is not None
            assert update.replace
            positions[name] = update.position
        rings.refresh()
        assert all(feed(positions[name]) is None for name, feed in feeds.items())
        step(engine)
        rings.refresh()
        changed = {name for name, feed in feeds.items() if feed(positions[name])}
    assert changed == {"entries", "pins", "words"}


def test_a_reconfigured_engines_rings_begin_anew(lab: Lab) -> None:
    with Engine(lab.port, ring_size=16, batch=1, action="reflect") as engine:
        rings = Rings(engine)
        send(lab, 100)
        engine.reconfigure(ring_size=32, frame_size=4096)
        engine.pace = math.inf
        assert eventually(lambda: engine.telemetry.rings()["ring_size"] == 32)
        rings.refresh()
        entries = drawn(shown_rows(rings, "entries"), "fill")
        assert entries["number"] == [str(frame) for frame in range(64)]
        assert "64 frames = 64 in fill + 0 being filled + 0 in RX" in text_of(rings)


def test_it_says_what_it_shows_and_keeps_no_engine_alive(lab: Lab) -> None:
    engine = Engine(lab.port, ring_size=16, batch=1)
    rings = Rings(engine)
    assert repr(rings).replace(" [simulated]", "") == "<Rings: port0 queue 0, stopped>"
    engine.pace = 0.02
    engine.start()
    assert eventually(lambda: engine.telemetry.rings()["ring_size"])
    assert "slow motion: a batch every 20 ms" in repr(rings)
    assert "fill 32/32, rx 0/16, tx 0/16, completion 0/16" in repr(rings)
    assert not control(rings, "Step").disabled
    engine.close()
    assert "engine is closed" in repr(rings)
    assert control(rings, "Step").disabled
    # What its rings held when it was closed is still there to be seen.
    assert any(shown_rows(rings, "entries")["number"])
    press(rings, "Step")
    reference = weakref.ref(engine)
    engine = Engine(lab.port)  # in its place
    gc.collect()
    assert reference() is None
    assert "nothing held it any more" not in repr(rings)  # it was closed, before it was gone


def luminance(color: str) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("beside", [BLUE, ORANGE, "#ffffff", "#111111"])
def test_the_outline_of_the_followed_frame_stands_out_by_lightness_alone(beside: str) -> None:
    """Whoever sees no colours sees it, too: on entries of kernel and worker, and on both themes."""

    def contrast(color: str) -> float:
        darker, lighter = sorted((luminance(color), luminance(beside)))
        return (lighter + 0.05) / (darker + 0.05)

    assert max(contrast(color) for color, _width in OUTLINE) > 4.5
    assert len({width for _color, width in OUTLINE}) == 2  # or one hides the other


def test_state_that_a_notebook_saves_holds_no_figure(lab: Lab) -> None:
    with Engine(lab.port, ring_size=16, batch=1) as engine:
        state = figure(Rings(engine)).get_state()
        assert len(json.dumps(without_code(state))) < 1_000


def test_at_full_speed_text_and_picture_are_of_one_record(lab: Lab) -> None:
    with Engine(lab.port, ring_size=64) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=20_000).start()
        rings = Rings(engine)
        for _ in range(12):
            rings._beat()
            assert rings._state is not None
            assert count_words(rings._state) in text_of(rings)
            time.sleep(0.02)
        traffic.close()
