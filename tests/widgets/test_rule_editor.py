"""The rules of the gallery's filter in a widget, without a browser."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import ipywidgets
import pytest
from support.seen import control, parts

from xdplab import GALLERY, ConfigurationError, FilterRules, Lab, Program
from xdplab.widgets import RuleEditor

pytestmark = pytest.mark.kernel  # which runs the programs


@pytest.fixture
def editor(lab: Lab) -> Iterator[RuleEditor]:
    with Program(GALLERY["filter"], lab.port) as program:
        shown = RuleEditor(FilterRules(program))
        yield shown
        shown.close()


def by_tooltip(editor: RuleEditor, tooltip: str) -> ipywidgets.DOMWidget:
    (found,) = (each for each in parts(editor) if getattr(each, "tooltip", "") == tooltip)
    return found


def type_in(editor: RuleEditor, about: str, verdict: str = "drop") -> None:
    (box,) = (each for each in parts(editor) if isinstance(each, ipywidgets.Text))
    box.value = about
    by_tooltip(editor, "Verdict").value = verdict
    control(editor, "Set rule").click()


def words(editor: RuleEditor) -> str:
    said = (each.value for each in parts(editor) if isinstance(each, ipywidgets.HTML))
    return html.unescape(re.sub("<[^>]*>", " ", " ".join(said)))


def test_rules_are_set_turned_and_removed(editor: RuleEditor) -> None:
    type_in(editor, "198.18.0.0/15")
    type_in(editor, "UDP 9", "pass")
    assert {about: rule.verdict for about, rule in editor.rules.items()} == {
        "198.18.0.0/15": "drop",
        "udp 9": "pass",
    }
    by_tooltip(editor, "udp 9: verdict").value = "drop"
    assert editor.rules["udp 9"].verdict == "drop"
    by_tooltip(editor, "Remove 198.18.0.0/15").click()
    assert list(editor.rules) == ["udp 9"]
    assert "198.18.0.0/15" not in words(editor)
    control(editor, "otherwise").value = "drop"
    assert editor.rules.otherwise == "drop"


def test_what_is_no_rule_is_told_below_and_changes_nothing(editor: RuleEditor) -> None:
    type_in(editor, "198.18.0.1/15")
    assert not editor.rules
    assert "198.18.0.1/15 has host bits set" in words(editor)
    type_in(editor, "198.18.0.0/15")
    assert "host bits" not in words(editor)


def test_what_python_changes_is_shown_without_being_set_again(editor: RuleEditor) -> None:
    key = (15, [198, 18, 0, 0])
    editor.rules.program.maps["networks4"][key] = (1, 0, 1234)
    editor.rules.otherwise = "drop"
    editor._beat()
    assert "198.18.0.0/15" in words(editor)
    assert "1,234" in words(editor)
    assert control(editor, "otherwise").value == "drop"
    assert editor.rules["198.18.0.0/15"].packets == 1234


def test_a_long_list_shows_its_beginning_and_says_so(lab: Lab) -> None:
    with Program(GALLERY["filter"], lab.port) as program:
        rules = FilterRules(program)
        rules.update({f"udp {port}": "drop" for port in range(60)})
        editor = RuleEditor(rules)
        assert "10 more rules: print(rules)" in words(editor)
        rules.clear()
        editor._read_at = 0.0
        editor._beat()
        assert "more" not in words(editor)
        editor.close()


def test_a_program_that_was_closed_is_told(lab: Lab) -> None:
    with Program(GALLERY["filter"], lab.port) as program:
        editor = RuleEditor(FilterRules(program))
    type_in(editor, "udp 9")
    assert "closed" in words(editor)
    assert "closed" in repr(editor)
    editor.close()
    with pytest.raises(ConfigurationError, match=r"FilterRules\(program\)"):
        RuleEditor(program)  # type: ignore[arg-type]
