"""The site of documentation: built without a warning, with no dead link, and drawn offline."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page
from support.installs import SOURCE
from support.pages import DRAWN, SUITS_THE_THEME

# In the suites of other backends there are no pages. The build takes half a minute of a core, and
# beside other files of tests several times that.
pytestmark = [pytest.mark.privilege, pytest.mark.timeout(1200)]

LESSONS = sorted((SOURCE / "notebooks").glob("*.ipynb"))
LESSON = LESSONS[1]  # the first with figures
# What loads something, as a link does not.
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Markup(HTMLParser):
    """What a page of HTML has: names of places in it, where it leads, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.places, self.leads_to, self.loads = {""}, set[str](), set[str]()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what a tag has."""
        found = {name: value for name, value in attributes if value is not None}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.leads_to.add(found["href"])
        if tag in LOADS and LOADS[tag] in found:
            self.loads.add(found[LOADS[tag]])


def build(place: Path) -> subprocess.CompletedProcess[str]:
    # One lesson runs. That each of them does is for test_notebooks.py and test_lessons.py.
    command = (
        *(SOURCE / ".venv/bin/sphinx-build", "--fail-on-warning", "--keep-going", "--nitpicky"),
        *("--conf-dir", SOURCE / "docs/site", "--doctree-dir", place / "doctrees"),
        *(SOURCE, place / "site"),
    )
    environment = {**os.environ, "XDPLAB_LESSONS": LESSON.name}
    return subprocess.run(
        command, cwd=SOURCE, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def site(privileged: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    built = build(place)
    assert built.returncode == 0, built.stderr
    return place / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Markup]:
    made = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    return {path: Markup(path) for path in made}


def test_each_page_and_lesson_is_there(pages: dict[Path, Markup], site: Path) -> None:
    sources = [*SOURCE.glob("docs/**/*.md"), *LESSONS]
    made = {site / each.relative_to(SOURCE).with_suffix(".html") for each in sources}
    assert made <= set(pages)
    assert site / "index.html" in pages


def test_each_link_leads_to_a_page_and_to_a_place_on_it(pages: dict[Path, Markup]) -> None:
    assert list(dead_links(pages)) == []


def dead_links(pages: dict[Path, Markup]) -> Iterator[str]:
    for path, page in pages.items():
        for link in page.leads_to | page.loads:
            if link.startswith(("https:", "mailto:", "data:", "javascript:")):
                continue
            there, _, place = unquote(link).partition("#")
            target = (path.parent / there.partition("?")[0]).resolve() if there else path
            lacks_it = target in pages and place not in pages[target].places
            if lacks_it or not target.is_file():
                yield f"{path.name}: {link}"


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text('<h1 id="here"><a href="#here"><a href="#none"><a href="none"><img src="no">')
    assert sorted(dead_links({path: Markup(path)})) == [
        f"page.html: {each}" for each in ("#none", "no", "none")
    ]


def test_nothing_is_loaded_from_the_internet(pages: dict[Path, Markup]) -> None:
    loaded = {each for page in pages.values() for each in page.loads}
    assert loaded
    assert not {each for each in loaded if each.startswith(("http", "//"))}


def test_a_widgets_page_has_nothing_of_ipywidgets(pages: dict[Path, Markup]) -> None:
    places = {place for page in pages.values() for place in page.places}
    assert "xdplab.widgets.Dashboard.seconds" in places
    own_names = {place.rpartition(".")[2] for place in places if place.startswith("xdplab.widgets")}
    assert not own_names & {"add_class", "blur", "comm", "focus", "layout", "tooltip"}


@contextmanager
def visitor(chromium: Browser, theme: str = "light", width: int = 1280) -> Iterator[Page]:
    """Open a page without a network, which may complain of nothing and ask for files alone."""
    context = chromium.new_context(
        color_scheme=theme,  # type: ignore[arg-type]
        viewport={"width": width, "height": 900},
        offline=True,
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("file:", "data:", "blob:"))
            else faults.append(request.url)
        ),
    )
    yield page
    context.close()
    assert faults == []


def open_lesson(page: Page, site: Path) -> None:
    page.goto((site / "notebooks" / f"{LESSON.stem}.html").as_uri())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_lesson_that_ran_draws_its_figures_in_the_ink_of_the_page(
    site: Path, chromium: Browser, theme: str
) -> None:
    with visitor(chromium, theme) as page:
        open_lesson(page, site)
        figures = page.locator(".xdplab-figure")
        assert figures.count() > 0
        for figure in figures.all():
            figure.locator("canvas").first.wait_for()
            page.wait_for_function("Bokeh.documents.every(each => each.is_idle)")
            assert figure.locator("canvas").first.evaluate(DRAWN) > 1000
        page.wait_for_function(SUITS_THE_THEME)


def test_a_figure_tells_the_values_under_the_mouse(site: Path, chromium: Browser) -> None:
    with visitor(chromium) as page:
        open_lesson(page, site)
        plot = page.locator(".xdplab-figure .bk-Figure").first
        plot.wait_for()
        page.wait_for_function("Bokeh.documents.every(each => each.is_idle)")
        plot.scroll_into_view_if_needed()
        plot.hover()
        page.locator("table", has_text="asked").wait_for()


def test_each_page_fits_a_phone_and_asks_for_nothing_from_outside(
    pages: dict[Path, Markup], site: Path, chromium: Browser
) -> None:
    with visitor(chromium, width=400) as page:
        wide = []
        for path in pages:
            if path == site / "index.html":  # which leads to another at once
                continue
            page.goto(path.as_uri())
            if page.evaluate("document.documentElement.scrollWidth") > 400:
                wide.append(path.name)
        assert wide == []
