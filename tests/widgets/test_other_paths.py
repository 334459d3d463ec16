"""Every widget works on an engine of every receive path."""

from __future__ import annotations

from typing import Any

import pytest
from support.waiting import eventually

from xdplab import PATHS, ConfigurationError, Engine, Lab, Sampling, Traffic
from xdplab.widgets import Controls, Dashboard, Frames, LatencyView, LedgerView, Rings, Timeline

pytestmark = pytest.mark.kernel  # whose sockets they are

each_other_path = pytest.mark.parametrize("path", [path for path in PATHS if path != "xsk"])


@each_other_path
def test_each_widget_shows_it_and_says_how_it_receives(lab: Lab, path: str) -> None:
    with Engine(lab.port, path=path, inspect=True, sampling=Sampling(every=1)) as engine:
        shown = {
            kind.__name__: kind(engine)
            for kind in (Dashboard, LatencyView, Rings, Frames, Timeline)
        }
        traffic = Traffic(lab.peer, lab.port, rate=10_000, count=500)
        shown |= {kind.__name__: kind(engine, traffic) for kind in (Controls, LedgerView)}
        assert traffic.start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] >= 500)
        for name, widget in shown.items():
            assert "port0" in repr(widget), name
        assert path in repr(shown["Dashboard"])
        assert path in repr(shown["Controls"])
        assert shown["LedgerView"].account.packets("received by the worker") >= 500
        assert shown["Controls"].wait == ""
    for name, widget in shown.items():
        assert "port0" in repr(widget), name


@each_other_path
def test_its_controls_turn_what_it_has_and_refuse_the_rest(lab: Lab, path: str) -> None:
    with Engine(lab.port, path=path) as engine:
        controls = Controls(engine)
        controls.batch = 16
        assert engine.batch == 16
        with pytest.raises(ConfigurationError, match="waits in its own way"):
            controls.wait = "spin"
        with pytest.raises(ConfigurationError, match="waits in its own way"):
            controls.apply("throughput")
        assert engine.batch == 16


def test_the_menu_of_a_dashboard_says_that_there_is_none_to_choose(lab: Lab) -> None:
    with Engine(lab.port, path="udp-epoll") as engine:
        menus = [
            child
            for child in _descendants(Dashboard(engine))
            if getattr(child, "description", "") == "Wait"
        ]
    assert [menu.disabled for menu in menus] == [True]
    assert menus[0].label == "its own, udp-epoll"


def _descendants(widget: Any) -> list[Any]:
    children = list(getattr(widget, "children", ()))
    return [*children, *(found for child in children for found in _descendants(child))]
