"""Controls show what arrives on each queue of a card that has several."""

from __future__ import annotations

import ipywidgets
from support.queue_lines import queue_lines
from support.seen import parts
from support.waiting import eventually

from xdplab import Engine, Lab, Traffic
from xdplab.widgets import Controls


def card(controls: Controls) -> ipywidgets.VBox:
    """Return the group of the card."""
    (group,) = (
        part
        for part in parts(controls)
        if isinstance(part, ipywidgets.VBox)
        and isinstance(part.children[0], ipywidgets.HBox)
        and ">Card<" in getattr(part.children[0].children[0], "value", "")
    )
    return group


def test_what_arrives_on_each_queue_is_shown_beside_what_is_set(privileged: None) -> None:
    with (
        Lab(queues=2) as lab,
        Engine(lab.port, queue=[0, 1]) as engine,
        Traffic(lab.peer, lab.port, rate=500) as traffic,
    ):
        controls = Controls(engine, traffic)
        assert queue_lines(controls) == [("Queue 0", "...", ""), ("Queue 1", "...", "")]
        traffic.start()

        def counts() -> list[int]:
            return [int(engine.telemetry.counters(n)["rx_packets"]) for n in (0, 1)]

        def moving() -> list[bool]:
            return [rate not in ("...", "0 pps") for _name, rate, _leads in queue_lines(controls)]

        # A veth's queue is the sender's core.
        assert eventually(lambda: any(counts()))
        busy = [count > 0 for count in counts()]
        assert sum(busy) == 1
        assert eventually(lambda: moving() == busy), queue_lines(controls)
        traffic.stop()
        assert eventually(lambda: not any(moving())), queue_lines(controls)
        assert card(controls).layout.display is None


def test_the_queues_are_those_that_the_engine_has_now(privileged: None) -> None:
    with Lab(queues=3) as lab, Engine(lab.port, queue=[0, 2]) as engine:
        controls = Controls(engine)
        assert [name for name, *_ in queue_lines(controls)] == ["Queue 0", "Queue 2"]
        assert eventually(lambda: all(rate == "0 pps" for _, rate, _ in queue_lines(controls)))
        engine.reconfigure(queue=[1, 2])
        assert queue_lines(controls) == [("Queue 1", "...", ""), ("Queue 2", "...", "")]


def test_a_card_with_one_queue_and_no_settings_is_not_shown(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        controls = Controls(engine)
        controls.refresh()
        assert card(controls).layout.display == "none"
