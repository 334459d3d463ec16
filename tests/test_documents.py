"""README, CONTRIBUTING and docs/: links lead somewhere, examples run, nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from support.documents import examples, run_example, text_of
from support.installs import SOURCE

from xdplab import ACTIONS, FIELDS, KNOBS, PATHS, WAIT_STRATEGIES
from xdplab.bench import BENCHMARKS
from xdplab.ledger.lines import Line
from xdplab.widgets import __all__ as widgets

LONGEST_README = 130
PAGES = sorted([*SOURCE.glob("*.md"), *SOURCE.glob("docs/**/*.md")])
INDEX = SOURCE / "docs" / "index.md"
# Those of a name each, whose examples test_reference.py runs.
FOLDERS = ("reference", "widgets")
TOP = [page for page in PAGES if page.parent.name not in FOLDERS]
CODE = re.compile(r"`([^`\n]+)`")
# Sources that name a page in what they say.
SAY = ("xdplab", "scripts", "binder", "bpf", "native")
SOURCES = {"", ".c", ".h", ".py", ".js", ".service", ".socket", ".conf"}


def relative(page: Path) -> str:
    return str(page.relative_to(SOURCE))


def anchors(page: Path) -> set[str]:
    """Return what GitHub calls a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def broken_links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"https?:", target):
            continue
        place, _, anchor = target.partition("#")
        led_to = (page.parent / place).resolve() if place else page
        if not led_to.exists() or (anchor and anchor not in anchors(led_to)):
            yield target


def missing_files(page: Path) -> Iterator[str]:
    """Return files that a page names, by their place in the source tree, and that are not there.

    Those in build/ are there once a command has made them.
    """
    folders = {each.name for each in SOURCE.iterdir() if each.is_dir()}
    tops = "|".join(folders - {"build"})
    for named in CODE.findall(text_of(page)):
        is_place = re.fullmatch(rf"(?:{tops})/[\w.*/-]*", named)
        if is_place and "NAME" not in named and not list(SOURCE.glob(named.rstrip("/"))):
            yield named


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_each_link_leads_to_a_file_and_each_anchor_to_a_heading(page: Path) -> None:
    assert not list(broken_links(page))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_each_file_that_is_named_is_there(page: Path) -> None:
    assert not list(missing_files(page))


def test_what_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n[a](page.md#page) [b](none.md) [c](#none) `native/none.c` `native/`\n")
    assert list(broken_links(page)) == ["none.md", "#none"]
    assert list(missing_files(page)) == ["native/none.c"]


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    readme, how_to = SOURCE / "README.md", SOURCE / "docs" / "how-to.md"
    assert len(readme.read_text().splitlines()) <= LONGEST_README
    assert led_to(readme) >= {relative(how_to), relative(INDEX)}
    assert led_to(readme) | led_to(how_to) == {relative(page) for page in TOP} - {"README.md"}


def led_to(page: Path) -> set[str]:
    """Return the pages that a page has links to."""
    targets = re.findall(r"\]\(([\w./-]+\.md)", text_of(page))
    return {relative((page.parent / target).resolve()) for target in targets}


def test_the_site_has_every_page_in_its_contents() -> None:
    trees = re.findall(r"^```{toctree}\n(.*?)^```$", INDEX.read_text(), re.MULTILINE | re.DOTALL)
    entries = [line for tree in trees for line in tree.splitlines() if not line.startswith(":")]
    listed = {relative((INDEX.parent / f"{entry}.md").resolve()) for entry in entries}
    pages = {relative(page) for page in PAGES} - {"README.md", relative(INDEX)}
    assert listed - {"notebooks/*.md"} == pages


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent != SOURCE and page != INDEX], ids=relative
)
def test_a_page_begins_with_its_purpose(page: Path) -> None:
    heading, purpose = page.read_text().split("\n\n")[:2]
    assert re.fullmatch(r"# .+", heading)
    assert re.search(r"[Tt]his page\b", purpose)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("README.md", widgets),
        ("docs/wait-strategies.md", WAIT_STRATEGIES),
        ("docs/receive-paths.md", PATHS),
        ("docs/engine.md", ACTIONS),
        ("docs/fields.md", FIELDS),
        ("docs/knobs.md", KNOBS),
        ("docs/benchmarks.md", BENCHMARKS),
    ],
)
def test_a_page_leaves_out_none_of_what_it_lists(page: str, names: tuple[str, ...]) -> None:
    named = {word for code in CODE.findall((SOURCE / page).read_text()) for word in words(code)}
    assert not set(names) - named


def words(code: str) -> set[str]:
    """Return a piece of code, and the names in it."""
    return {code, *re.findall(r"\w+", code)}


def test_each_line_of_a_ledger_is_explained() -> None:
    rows = re.findall(r"^\| (.+?) \|", (SOURCE / "docs/lost-packets.md").read_text(), re.MULTILINE)
    assert set(Line) <= set(rows)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_each_name_of_the_package_that_a_page_tells_is_there(page: Path) -> None:
    for name in re.findall(r"`(xdplab(?:\.\w+)+)", text_of(page)):
        if page.name == "CHANGELOG.md":
            continue  # which names what is gone, too
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute) or import_module(name), name


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/how-it-is-built.md"])
def test_each_name_in_the_sources_that_a_page_tells_is_there(name: str) -> None:
    folders = (*SAY, "tests")
    files = [file for each in folders for file in (SOURCE / each).rglob("*.[chp]*")]
    known = {
        word
        for file in files
        if file.suffix in SOURCES and file.name != Path(__file__).name
        for word in re.findall(r"\w+", file.read_text())
    }
    told = re.findall(r"`(?:struct |enum )?(\w+)`", text_of(SOURCE / name))
    assert not {word for word in told if "_" in word and "NAME" not in word} - known


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_each_command_that_a_page_tells_is_there(page: Path) -> None:
    text = page.read_text()
    targets = re.findall(r"^([a-z]+):", (SOURCE / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= set(targets)
    assert set(re.findall(r"xdplab bench ([a-z]+)", text)) <= set(BENCHMARKS)


@pytest.mark.privilege  # in the suites of other backends there are no pages
@pytest.mark.parametrize("page", [page for page in TOP if examples(page.read_text())], ids=relative)
def test_the_examples_of_a_page_run_one_after_the_other(
    page: Path, tmp_path: Path, privileged: None
) -> None:
    for code in examples(page.read_text()):
        run_example(code, tmp_path)


def test_a_page_that_a_message_names_is_there() -> None:
    named: set[str] = set()
    for file in (file for top in SAY for file in (SOURCE / top).rglob("*")):
        if file.suffix in SOURCES and file.is_file():
            text = file.read_text()
            assert "README" not in text, file
            named |= set(re.findall(r"docs/[\w-]+\.md", text))
    assert "docs/without-root.md" in named
    assert all((SOURCE / each).is_file() for each in named)
