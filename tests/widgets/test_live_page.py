"""A page shows widgets to browsers, which change nothing."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.request import Request, urlopen

import ipywidgets
import pytest
from support.waiting import eventually
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection, websocket_connect

from xdplab import ConfigurationError, Engine, KernelError, Lab
from xdplab.widgets import Frames, LivePage, Rings
from xdplab.widgets.page.messages import packed


class Browser:
    """Speaks as `page.js` does."""

    def __init__(self, page: LivePage) -> None:
        self._loop, self._is_over = IOLoop(make_current=False), False
        url = page.url.replace("http", "ws") + "live"

        async def connect() -> WebSocketClientConnection:
            return await websocket_connect(url, max_message_size=1 << 24)

        self.connection = self._loop.run_sync(connect, timeout=30)

    def hear(self) -> Any:
        """Return the next message: JSON as an object, or a widget's as (header, buffers)."""

        async def read() -> str | bytes | None:
            return await self.connection.read_message()

        message = self._loop.run_sync(read, timeout=30)
        self._is_over = message is None
        if not isinstance(message, bytes):
            return None if message is None else json.loads(message)
        length = int.from_bytes(message[:4], "little")
        return json.loads(message[4 : 4 + length]), message[4 + length :]

    def hear_one(self, kind: str) -> Any:
        """Return the next message of a kind."""
        while True:
            message = self.hear()
            assert message is not None, "the connection was closed"
            content = message[0]["content"] if isinstance(message, tuple) else message
            if content["kind"] == kind:
                return message

    def say(self, model: str, kind: str, view: str = "v", **more: object) -> None:
        """Send a message of a view."""
        content = {"view": view, "kind": kind, **more}
        self.say_text(json.dumps({"model": model, "content": content}))

    def say_text(self, text: str) -> None:
        """Send a text."""

        async def send() -> None:
            await self.connection.write_message(text)

        self._loop.run_sync(send, timeout=30)

    def close(self) -> None:
        """Close the connection, and wait until it is."""

        async def close() -> None:  # in the loop, for a thread need not have a loop besides
            self.connection.close()

        self._loop.run_sync(close, timeout=30)
        while not self._is_over:
            self.hear()
        self._loop.close()


def live_of(nodes: list[Any]) -> Iterator[str]:
    """Return the ids of the live views in a tree."""
    for node in nodes:
        if node["kind"] == "live":
            yield node["id"]
        yield from live_of(node["children"])


def get(page: LivePage, name: str) -> str:
    with urlopen(page.url + name, timeout=30) as reply:
        return str(reply.read().decode())


@pytest.fixture
def engine(lab: Lab) -> Iterator[Engine]:
    with Engine(lab.port, ring_size=64) as made:
        yield made


def test_a_browser_gets_the_texts_and_views_and_no_control(engine: Engine) -> None:
    with LivePage(Rings(engine), title="Rings <1>") as page, closing(Browser(page)) as browser:
        told = browser.hear_one("page")
        assert told["title"] == "Rings <1>"
        assert len(list(live_of(told["nodes"]))) == 1
        words = json.dumps(told)
        assert "running at full speed" in words
        assert "Pause" not in words
        assert browser.hear_one("readers")["count"] == 1
        assert page.readers == 1
    assert eventually(lambda: page.readers == 0)


def test_the_files_of_a_page_are_served_and_no_other(engine: Engine) -> None:
    with LivePage(Rings(engine)) as page:
        for name in ("", "page.js", "page.css", "style.css", "LiveFigure.js"):
            assert get(page, name)
        assert "export default" in get(page, "LiveFigure.js")
        for name in ("page.py", "../page.html", "live"):
            with pytest.raises(OSError, match=r"40\d"):
                get(page, name)


def test_all_browsers_get_a_figure_and_its_rows(engine: Engine) -> None:
    with LivePage(Rings(engine)) as page:
        browsers = [Browser(page) for _ in range(3)]
        for number, browser in enumerate(browsers):
            (figure,) = live_of(browser.hear_one("page")["nodes"])
            browser.say(figure, "figure", view=f"view {number}")
            header, buffers = browser.hear_one("figure")
            assert header["lengths"] == [len(buffers)]
            browser.say(figure, "rows", view=f"view {number}")
        for browser in browsers:
            header, buffers = browser.hear_one("rows")
            assert "views" not in header["content"]  # whose names are each browser's own
            assert sum(header["lengths"]) == len(buffers)
            browser.close()


def test_a_text_that_changes_is_told(engine: Engine) -> None:
    words = ipywidgets.HTML("<b>before</b>")
    said = ipywidgets.Label("a < b")
    box = ipywidgets.VBox([words, said, ipywidgets.Button(description="Go")])
    with LivePage(box) as page, closing(Browser(page)) as browser:
        (node,) = browser.hear_one("page")["nodes"]
        assert [each["text"] for each in node["children"]] == ["<b>before</b>", "a &lt; b"]
        words.value = "<b>after</b>"
        told = browser.hear_one("text")
        assert (told["id"], told["text"]) == (words.model_id, "<b>after</b>")


def test_what_a_browser_asks_for_changes_nothing_for_others(engine: Engine) -> None:
    frames = Frames(engine)
    with LivePage(frames) as page, closing(Browser(page)) as browser:
        views = list(live_of(browser.hear_one("page")["nodes"]))
        for view in views:
            browser.say(view, "filter", text="udp")
            browser.say(view, "pause", paused=True)
            browser.say(view, "rows")
        told, _ = browser.hear_one("rows")
        assert told["content"]["state"]["filter"] == ""
        assert not told["content"]["state"]["paused"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '{"model": 1}', "[" * 60_000),
        '{"model": [], "content": {"view": 1, "kind": "rows"}}',
        '{"model": "x", "content": {"view": "v", "kind": "rows"}}',
    ],
)
def test_what_is_no_message_is_left_alone(engine: Engine, text: str) -> None:
    with LivePage(Rings(engine)) as page, closing(Browser(page)) as browser:
        (figure,) = live_of(browser.hear_one("page")["nodes"])
        browser.say_text(text)
        browser.say(figure, "rows")
        browser.hear_one("rows")
        for number in ({}, {"number": "x"}, {"number": None}, {"number": 1e999}, {"number": 1.5}):
            browser.say(figure, "got", **number)
        browser.say(figure, "figure")
        assert browser.hear_one("figure")


def test_a_browser_can_not_speak_for_another(engine: Engine) -> None:
    rings = Rings(engine)
    with LivePage(rings) as page, closing(Browser(page)) as other:
        (figure,) = live_of(other.hear_one("page")["nodes"])
        with closing(Browser(page)) as browser:
            browser.hear_one("page")
            browser.say(figure, "rows", view="mine")
            browser.hear_one("rows")
            other.say(figure, "bye", view="mine")
            other.say(figure, "figure", view="other's")
            other.hear_one("figure")  # so the goodbye was heard, too
            assert "mine" in rings._figure._views
        assert eventually(lambda: "mine" not in rings._figure._views)


def test_a_browser_may_open_and_end_as_many_views_as_it_likes(engine: Engine) -> None:
    with LivePage(Rings(engine)) as page, closing(Browser(page)) as browser:
        (figure,) = live_of(browser.hear_one("page")["nodes"])
        for number in range(150):
            browser.say(figure, "rows", view=f"view {number}")
            browser.say(figure, "bye", view=f"view {number}")
        browser.say(figure, "figure", view="last")
        assert browser.hear_one("figure")


def test_what_is_added_or_hidden_is_told_with_the_page_anew(engine: Engine) -> None:
    words = ipywidgets.HTML("first")
    box = ipywidgets.VBox([words])
    with LivePage(box) as page, closing(Browser(page)) as browser:
        (node,) = browser.hear_one("page")["nodes"]
        assert len(node["children"]) == 1
        second = ipywidgets.HTML("second")
        box.children = [words, second]
        (node,) = browser.hear_one("page")["nodes"]
        assert [each["text"] for each in node["children"]] == ["first", "second"]
        second.value = "changed"
        assert browser.hear_one("text")["text"] == "changed"
        words.layout.display = "none"
        (node,) = browser.hear_one("page")["nodes"]
        assert node["children"][0]["style"]["display"] == "none"


def test_why_a_widget_stands_still_is_told(engine: Engine) -> None:
    rings = Rings(engine)
    with LivePage(rings) as page:
        with closing(Browser(page)) as browser:
            (figure,) = live_of(browser.hear_one("page")["nodes"])
            rings._figure.failed(ValueError("no rings"))
            told = browser.hear_one("error")
            assert (told["id"], told["text"]) == (figure, "ValueError: no rings")
        with closing(Browser(page)) as browser:
            assert "ValueError: no rings" in json.dumps(browser.hear_one("page"))


def test_a_page_of_this_machine_alone_has_no_other_name(engine: Engine) -> None:
    with LivePage(Rings(engine)) as page:
        rebound = Request(page.url, headers={"Host": "rebound.example"})
        with pytest.raises(OSError, match="404"):
            urlopen(rebound, timeout=30)


def test_a_browser_that_takes_nothing_is_left(engine: Engine) -> None:
    words = ipywidgets.HTML("words")
    with LivePage(words) as page:
        browser = Browser(page)
        browser.hear_one("page")
        assert page.readers == 1
        for number in range(400):  # far more than the sockets between them hold
            words.value = f"{number:03}" * 50_000
        assert eventually(lambda: page.readers == 0)
        browser.close()


def test_a_view_in_a_page_is_forgotten_with_its_browser(engine: Engine) -> None:
    rings = Rings(engine)
    with LivePage(rings) as page:
        browser = Browser(page)
        (figure,) = live_of(browser.hear_one("page")["nodes"])
        browser.say(figure, "rows")
        browser.hear_one("rows")
        assert rings._figure.watched
        browser.close()
        assert eventually(lambda: not rings._figure.watched and not rings._figure._outlets)


def test_a_closed_page_answers_no_more_and_its_widgets_go_on(engine: Engine) -> None:
    words = ipywidgets.HTML("here")
    page = LivePage([words, Rings(engine)])
    browser = Browser(page)
    page.close()
    page.close()
    assert repr(page) == "<LivePage: closed>"
    with pytest.raises(OSError, match="refused"):
        get(page, "")
    words.value = "still here"
    with closing(browser):
        while browser.hear() is not None:
            pass


def test_a_page_that_can_not_be_is_refused_with_a_remedy(engine: Engine) -> None:
    with pytest.raises(ConfigurationError, match=r"widgets=\[\] must have"):
        LivePage([])
    for nothing in (ipywidgets.IntSlider(), ipywidgets.VBox([ipywidgets.IntSlider()])):
        with pytest.raises(ConfigurationError, match="shows nothing of"):
            LivePage(nothing)
    with pytest.raises(ConfigurationError, match="or one widget"):
        LivePage(engine)
    rings = Rings(engine)
    with LivePage(rings) as page:
        port = int(page.url.rsplit(":", 1)[1].strip("/"))
        with pytest.raises(KernelError, match=r"listen on .* EADDRINUSE .* port=0") as refused:
            LivePage(rings, port=port)
        assert refused.value.errno == errno.EADDRINUSE
    with pytest.raises(KernelError, match=r"address='198\.18\.77\.7'.*EADDRNOTAVAIL"):
        LivePage(rings, address="198.18.77.7")
    with pytest.raises(KernelError, match="EADDRNOTAVAIL"):
        LivePage(rings, address="no.such.name.invalid")


def test_a_message_with_buffers_can_be_taken_apart() -> None:
    message = packed("m", {"kind": "rows"}, [b"abc", memoryview(b"defgh")])
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + length])
    assert header == {"model": "m", "content": {"kind": "rows"}, "lengths": [3, 5]}
    assert message[4 + length :] == b"abcdefgh"
