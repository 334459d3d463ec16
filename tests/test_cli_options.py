"""A refusal names the option as the user typed it, for every option of every command."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest

from xdplab.cli.cli import _parser, main
from xdplab.cli.spelling import as_options

WRONG = {
    "--interface": "\udcff",  # a byte that is no text
    "--queue": "-1",
    "--wait": "sleep",
    "--waits": "sleep",
    "--batch": "0",
    "--batches": "0",
    "--bursts": "0",
    "--apart": "-1",
    "--seconds": "-1",
    "--rate": "-5",
    "--rates": "-5",
    "--traffic": "-5",
    "--size": "1",
    "--ring-size": "1000",
    "--frame-size": "3",
    "--attach": "offload",
    "--bind": "zero_copy",
    "--backend": "cloud",
    "--report": "",
    "--rounds": "0",
    "--seed": "-1",
    "--write": "",
    "--filter": "prot 53",
    "--match": "prot 53",
    "--count": "0",
    "--rotate": "5",
    "--action": "juggle",
    "--pace": "-1",
    "--address": "198.18.77.7",
    "--port": "-1",
}
"""A value that each option can't have."""

NEEDED = {("broker",): ["--group", "root"], ("capture",): ["--write", "/no/such/folder/x"]}
"""What commands can't do without."""

SWITCHES = ("--multi-buffer", "--promiscuous", "--allow-default-route", "--json")


def commands(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Return every command, and its parser."""
    below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not below:
        yield words, parser
    for several in below:
        for name, command in several.choices.items():
            yield from commands(command, (*words, name))


OPTIONS = [
    (words, option, action)
    for words, parser in commands(_parser())
    for action in parser._actions
    for option in action.option_strings
    if action.dest != "help"
]
each_option = pytest.mark.parametrize(
    ("words", "option", "action"), OPTIONS, ids=lambda it: it if isinstance(it, str) else None
)
# A broker refuses in a process of its own, once its install is found safe.
each_option_with_a_value = pytest.mark.parametrize(
    ("words", "option"),
    [
        (words, option)
        for words, option, action in OPTIONS
        if action.nargs != 0 and words != ("broker",)
    ],
)


def parsed(words: tuple[str, ...], option: str, action: argparse.Action) -> argparse.Namespace:
    """Return what the parser makes of a call with this option."""
    value = [] if action.nargs == 0 else ["1"]
    return _parser().parse_args([*words, *NEEDED.get(words, []), option, *value])


def test_all_options_are_tried() -> None:
    assert {words[0] for words, _, _ in OPTIONS} == {
        *("run", "capture", "show", "doctor", "bench", "broker")
    }
    assert {option for words, option, _ in OPTIONS if words != ("broker",)} == {*WRONG, *SWITCHES}


@each_option
def test_a_setting_in_a_message_is_named_as_the_option_that_was_typed(
    words: tuple[str, ...], option: str, action: argparse.Action
) -> None:
    options = parsed(words, option, action)
    for value, said in (("3", " 3"), ("-1.5", " -1.5"), ("'a b'", " 'a b'"), ("True", "")):
        message = f"{action.dest}={value} must be something else."
        assert as_options(message, options) == f"{option}{said} must be something else."
    call = f"Engine(..., {action.dest}=3)"
    assert as_options(f"leave out {action.dest}=..., or type {call}.", options) == (
        f"leave out {option}, or type {call}."
    )


def test_an_option_is_taken_by_its_whole_name_only(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--rat", "3"])
    assert "unrecognized arguments: --rat 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("choose a smaller ring_size.", "choose a smaller --ring-size."),
        ("choose frame_size 2048 or 4096", "choose --frame-size 2048 or 4096"),
        ("ask for memory=Memory(multi_buffer=True), or", "ask for --multi-buffer, or"),
        ("multi_buffer=True needs 6.6", "--multi-buffer needs 6.6"),
        ("insist with allow_default_route=True.", "insist with --allow-default-route."),
        ("take memory=Memory(huge_pages='auto')", "take memory=Memory(huge_pages='auto')"),
        ("engine.reconfigure(ring_size=32) takes", "engine.reconfigure(ring_size=32) takes"),
        ("wait='" + "x" * 96 + "... is none of", "--wait '" + "x" * 96 + "... is none of"),
        ("wait='it\\'s \"so\"' is none of", "--wait 'it'\"'\"'s \"so\"' is none of"),
        ("queue=[0, 1] names two", "--queue 0 1 names two"),
        ("the batch of 64, batch=64.", "the batch of 64, --batch 64."),
    ],
)
def test_other_words_stay(message: str, said: str) -> None:
    assert as_options(message, _parser().parse_args(["run"])) == said


@pytest.mark.usefixtures("privileged")
@each_option_with_a_value
def test_a_value_that_can_not_work_is_refused_by_the_options_name(
    words: tuple[str, ...], option: str
) -> None:
    said = io.StringIO()
    with redirect_stderr(said):
        try:
            status = main([*words, *NEEDED.get(words, []), option, WRONG[option]])
        except SystemExit as ended:  # argparse's own
            status = int(str(ended.code))
    assert status in (1, 2)
    last = said.getvalue().splitlines()[-1]
    assert f"{option} " in last or f"{option}:" in last
    assert f"{option.strip('-').replace('-', '_')}=" not in last
