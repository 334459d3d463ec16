"""What of the frame table needs no browser: which frames it keeps, and what it saves."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from support.seen import without_code
from support.waiting import eventually

from xdplab import ConfigurationError, Engine, Lab, Sampling, Traffic, XdplabError
from xdplab.widgets import Frames
from xdplab.widgets.frames import feed as frame_feed
from xdplab.widgets.frames.feed import KEPT, ROWS_AT_ONCE
from xdplab.widgets.frames.filter import FrameFilter

# The kernel's alone: what sends from sockets.


def wait_for_rows(frames: Frames, count: int) -> None:
    assert eventually(lambda: len(frames.rows) >= count, 30)


def ping(lab: Lab, count: int) -> None:
    """Send echo requests and wait for the replies, however busy the machine is."""
    assert lab.peer.ping(lab.port.ipv4, count=count, interval=0.5, timeout=30).received == count


def test_rows_are_what_was_sampled(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(every=1), action="echo") as engine:
        frames = Frames(engine)
        ping(lab, 5)
        wait_for_rows(frames, 5)
        engine.stop()
        samples, _ = engine.telemetry.samples()
        wait_for_rows(frames, len(samples))
        rows = frames.rows
    assert [row.frame for row in rows] == [bytes(s["bytes"][: s["captured"]]) for s in samples]
    pings = [row for row in rows if row.protocol == "ICMP"]
    assert len(pings) == 5
    assert {row.source for row in pings} == {lab.peer.ipv4}
    assert {row.destination for row in pings} == {lab.port.ipv4}
    assert {(row.verdict, row.queue, row.length) for row in pings} == {("echo", 0, 98)}
    assert [row.time for row in rows] == sorted(row.time for row in rows)


@pytest.mark.kernel
def test_both_versions_of_ip_and_a_truncated_frame_are_told(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(every=1, bytes=128)) as engine:
        frames = Frames(engine)
        with lab.peer.socket() as udp:
            udp.sendto(bytes(600), (lab.port.ipv4, 4000))
        lab.peer.ping(lab.port.ipv6, count=1, timeout=1)
        assert eventually(lambda: {"UDP", "ICMPv6"} <= {row.protocol for row in frames.rows}, 30)
        (long,) = (row for row in frames.rows if row.protocol == "UDP")
    assert long.truncated
    assert (long.length, long.captured, len(long.frame)) == (642, 128, 128)
    assert [layer.name for layer in long.layers()] == ["Ethernet", "IP", "UDP", "Raw"]
    assert FrameFilter("udp and greater 642")(long)  # its real length
    assert not FrameFilter("udp and less 641")(long)
    assert long.destination == f"{lab.port.ipv4}:4000"


@pytest.mark.kernel
def test_filter_and_pause_hold_for_rows_and_for_what_is_saved(lab: Lab, tmp_path: Path) -> None:
    with Engine(lab.port, sampling=Sampling(every=1), action="echo") as engine:
        frames = Frames(engine)
        ping(lab, 3)
        with lab.peer.socket() as udp:
            udp.sendto(b"hello", (lab.port.ipv4, 4000))
        wait_for_rows(frames, 4)
        frames.filter = "icmp[icmptype] = icmp-echo"
        assert [row.protocol for row in frames.rows] == ["ICMP"] * 3
        assert frames.save(tmp_path / "pings.pcapng").rows == 3
        frames.filter = "not icmp and dst port 4000 and verdict:echo"
        assert frames.save(tmp_path / "others.csv").rows == 1
        with pytest.raises(ConfigurationError, match=r"filter='dst port': .*syntax error"):
            frames.filter = "dst port"
        assert frames.filter == "not icmp and dst port 4000 and verdict:echo"
        frames.paused, frames.filter = True, ""
        held = frames.rows
        ping(lab, 1)
        assert frames.rows == held
        frames.paused = False
        assert eventually(lambda: len(frames.rows) > len(held), 30)


def test_saved_rows_are_the_samples_to_the_bit(lab: Lab, tmp_path: Path) -> None:
    with Engine(lab.port, sampling=Sampling(every=1), action="echo") as engine:
        ping(lab, 3)
        frames = Frames(engine)
        wait_for_rows(frames, 3)
        engine.stop()
        saved = frames.save(tmp_path / "shown.pcapng")
        whole = engine.telemetry.save_samples(tmp_path / "all.pcapng")
    assert saved.rows == whole.rows
    assert saved.path.read_bytes() == whole.path.read_bytes()


def test_a_flood_is_sampled_thinly_and_the_rest_is_counted(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(every=1), ring_size=1 << 14) as engine:
        rows = frame_feed.FrameFeed(engine.telemetry)
        with Traffic(lab.peer, lab.port, rate=50_000, count=10_000) as traffic:
            while not traffic.wait(0.05):
                rows.take()
        assert eventually(lambda: engine.telemetry.counters()["samples"] >= 10_000, 30)
        engine.stop()
        written = int(engine.telemetry.counters()["samples"])
        while len(rows.kept) + rows.passed_over < written:
            time.sleep(0.05)
            rows.take()
        samples, _ = engine.telemetry.samples()
    assert ROWS_AT_ONCE <= len(rows.kept) < written
    newest = rows.kept[-1]
    assert newest.frame == bytes(samples[-1]["bytes"][: samples[-1]["captured"]])
    numbers = [row.number for row in rows.kept]
    assert numbers == list(range(1, len(numbers) + 1))


def test_only_the_newest_are_kept(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_feed, "ROWS_AT_ONCE", KEPT + 200)  # as if it took no time
    with Engine(lab.port, sampling=Sampling(every=1)) as engine:
        rows = frame_feed.FrameFeed(engine.telemetry)
        with Traffic(lab.peer, lab.port, rate=2000, count=KEPT + 200) as traffic:
            assert traffic.wait(30)
        assert eventually(lambda: engine.telemetry.counters()["samples"] >= KEPT + 200, 30)
        rows.take()
    assert len(rows.kept) == KEPT
    assert rows.kept[-1].number - rows.kept[0].number == KEPT - 1
    assert rows.kept[0].number > 1


def test_frames_of_joined_interfaces_say_where_they_came_in(privileged: None) -> None:
    with (
        Lab() as first,
        Lab() as second,
        Engine(first.port, forward_to=second.port, sampling=Sampling(every=1)) as engine,
        Traffic(first.peer, first.port, rate=500, count=10) as one,
        Traffic(second.peer, second.port, rate=500, count=10) as other,
    ):
        assert one.wait(30)
        assert other.wait(30)
        frames = Frames(engine)
        wait_for_rows(frames, 20)
        assert {row.interface for row in frames.rows} == {"port0 #1", "port0 #2"}


def test_widget_says_what_it_shows_in_plain_text_and_keeps_no_engine_alive(
    lab: Lab, tmp_path: Path
) -> None:
    engine = Engine(lab.port, sampling=Sampling(every=1), action="echo").start()
    frames = Frames(engine)
    ping(lab, 1)
    wait_for_rows(frames, 1)
    said = frames._repr_mimebundle_()["text/plain"]
    assert said.replace(" [simulated]", "").startswith("<Frames: port0 queue 0, running, ")
    engine.close()
    assert "engine is closed" in repr(frames)
    del engine
    assert "engine is closed" in repr(frames)
    # What was sampled is still there.
    assert frames.save(tmp_path / "frames.pcapng").rows >= 1


def test_state_that_a_notebook_saves_holds_no_frame(lab: Lab) -> None:
    with Engine(lab.port, sampling=Sampling(every=1), action="echo") as engine:
        frames = Frames(engine)
        ping(lab, 3)
        wait_for_rows(frames, 3)
        for widget in (frames, *frames.children):
            state = without_code(widget.get_state())
            assert lab.peer.ipv4 not in json.dumps(state, default=str)
            assert len(json.dumps(state, default=str)) < 2_000


def test_refusals_are_errors_of_ours(lab: Lab, tmp_path: Path) -> None:
    with Engine(lab.port) as engine, pytest.raises(XdplabError, match="must end in"):
        Frames(engine).save(tmp_path / "frames.txt")
