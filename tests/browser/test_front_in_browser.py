"""The front of a search in JupyterLab: it shows what was found, and a click sets the engine."""

from __future__ import annotations

import json
import math
from typing import Any

from harness.notebook_page import NotebookPage
from playwright.sync_api import expect
from support.live_rows import SOURCES
from support.pages import Look, OpenNotebook
from support.waiting import eventually

SEARCH = """
import json
from xdplab import Engine, Lab, Traffic, tune
from xdplab.widgets import Front
lab = Lab()
engine = Engine(lab.port).start()
traffic = Traffic(lab.peer, lab.port, rate=20_000)
tuning = tune(engine, traffic, "p99", budget=16, seconds=0.1)
Front(tuning)
"""

SET = """
from xdplab.settings.settings import current
print(json.dumps({"tried": [tuning.tried(row) for row in range(len(tuning.trials))],
                  "is": current(engine, tuning.settings), "sentence": tuning.sentence}))
"""

# Where points are on the page.
PLACES = """({x, y}) => {
    const views = Object.values(window.Bokeh.index).flatMap(
        (view) => view.frame ? [view] : view.child_views);
    const plot = views.find((view) => view.frame);
    const {left, top} = plot.el.getBoundingClientRect();
    return Array.from(x, (_, row) => [
        left + plot.frame.x_scale.compute(x[row]), top + plot.frame.y_scale.compute(y[row]),
    ]);
}"""


def points(page: NotebookPage) -> dict[str, list[Any]]:
    page.wait_until(f"() => ({SOURCES})()[0]?.points?.x.length > 0")
    (figure,) = page.page.evaluate(SOURCES)
    return dict(figure["points"])


def test_a_click_on_a_point_sets_the_engine(open_notebook: OpenNotebook, look: Look) -> None:
    page = open_notebook(SEARCH, SET)
    page.run(0)
    page.hide_side_bar()
    shown = points(page)
    told = json.loads(page.run(1))
    expect(page.page.get_by_text(told["sentence"]).first).to_be_visible()
    assert len(shown["x"]) > 3

    page.page.locator(".jp-OutputArea-output").first.evaluate("area => area.scrollIntoView()")
    chosen: list[int] = []

    def is_hovered() -> bool:
        places = page.page.evaluate(PLACES, {"x": shown["x"], "y": shown["y"]})
        chosen[:] = [loneliest(places)]
        page.page.mouse.move(0, 0)
        page.page.mouse.move(*places[chosen[0]])
        return page.page.get_by_text("latency p50").first.is_visible()

    # The page may be laid out anew meanwhile, and the point be elsewhere.
    assert eventually(is_hovered)
    wanted = told["tried"][int(shown["row"][chosen[0]])]
    page.page.mouse.down()
    page.page.mouse.up()
    expect(page.page.get_by_text("Applied: ").first).to_be_visible()
    assert json.loads(page.run(1))["is"] | {"cpu": None} == wanted | {"cpu": None}
    look(page)


def loneliest(places: list[list[float]]) -> int:
    """Choose the point that is farthest from the next one, so that a click hits no other."""

    def distance(number: int) -> float:
        others = [place for other, place in enumerate(places) if other != number]
        return min(math.dist(places[number], other) for other in others)

    return max(range(len(places)), key=distance)
