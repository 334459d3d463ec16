"""Every public name is on a page of the reference, with its docstring and an example that runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from support.documents import examples, run_example
from support.installs import SOURCE

MODULES = (
    *("xdplab", "xdplab.course", "xdplab.doctor", "xdplab.errors", "xdplab.fields"),
    *("xdplab.handlers", "xdplab.widgets"),
)
PAGES = sorted([*SOURCE.glob("docs/reference/*.md"), *SOURCE.glob("docs/widgets/*.md")])


def sections(page: str) -> Iterator[tuple[str, str]]:
    """Split a page at its headings, those of its examples apart."""
    for part in re.split(r"^(?=##? \w)", page, flags=re.MULTILINE):
        heading, _, text = part.partition("\n")
        yield heading, text


def is_about(name: str, heading: str, text: str) -> bool:
    """Tell whether a section has a name in its heading, its docstring, and an example with it."""
    word = re.compile(rf"\b{name}\b")
    directive = rf"^\.\. (?:auto\w+|py:data):: xdplab(?:\.\w+)*\.{name}$"
    return (
        bool(word.search(heading))
        and bool(re.search(directive, text, re.MULTILINE))
        and any(word.search(code) for code in examples(text))
    )


@pytest.mark.parametrize("module", MODULES)
def test_each_public_name_has_a_section_with_its_docstring_and_an_example(module: str) -> None:
    told = [section for page in PAGES for section in sections(page.read_text())]
    names = import_module(module).__all__
    assert names
    assert [name for name in names if not any(is_about(name, *each) for each in told)] == []


def test_a_section_that_lacks_something_is_found() -> None:
    example, docstring = (
        "```python\nLab()\n```\n",
        "```{eval-rst}\n.. autoclass:: xdplab.Lab\n```\n",
    )
    assert is_about("Lab", "## Lab", example + docstring)
    assert not is_about("Lab", "## Lab", docstring)
    assert not is_about("Lab", "## Lab", example)
    assert not is_about("Lab", "## Label", example + docstring)


@pytest.mark.privilege  # in the suites of other backends there are no pages
@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, privileged: None) -> None:
    for code in examples(page.read_text()):
        run_example(code, tmp_path)
