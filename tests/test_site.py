"""The site of documentation is built without a warning, and each of its links leads somewhere."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.installs import SOURCE

# In the suites of other backends there are no pages. The build takes half a minute of a core, and
# beside other files of tests several times that.
pytestmark = [pytest.mark.privilege, pytest.mark.timeout(1200)]

LESSONS = sorted((SOURCE / "notebooks").glob("*.ipynb"))
# What loads something, as a link does not.
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
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
    # The first lesson runs. That each of them does is for test_notebooks.py and test_course.py.
    command = (
        *(SOURCE / ".venv/bin/sphinx-build", "--fail-on-warning", "--keep-going", "--nitpicky"),
        *("--conf-dir", SOURCE / "docs/site", "--doctree-dir", place / "doctrees"),
        *(SOURCE, place / "site"),
    )
    environment = {**os.environ, "XDPLAB_LESSONS": LESSONS[0].name}
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
def pages(site: Path) -> dict[Path, Page]:
    made = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    return {path: Page(path) for path in made}


def test_each_page_and_lesson_is_there(pages: dict[Path, Page], site: Path) -> None:
    sources = [*SOURCE.glob("docs/**/*.md"), *LESSONS]
    made = {site / each.relative_to(SOURCE).with_suffix(".html") for each in sources}
    assert made <= set(pages)
    assert site / "index.html" in pages


def test_each_link_leads_to_a_page_and_to_a_place_on_it(pages: dict[Path, Page]) -> None:
    assert list(dead_links(pages)) == []


def dead_links(pages: dict[Path, Page]) -> Iterator[str]:
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
    assert sorted(dead_links({path: Page(path)})) == [
        f"page.html: {each}" for each in ("#none", "no", "none")
    ]


def test_nothing_is_loaded_from_the_internet(pages: dict[Path, Page]) -> None:
    loaded = {each for page in pages.values() for each in page.loads}
    assert loaded
    assert not {each for each in loaded if each.startswith(("http", "//"))}


def test_the_lesson_that_ran_shows_what_it_plotted(site: Path) -> None:
    lesson = site / "notebooks" / f"{LESSONS[0].stem}.html"
    text = lesson.read_text()
    assert "cell_output" in text
    assert "Traceback" not in text
