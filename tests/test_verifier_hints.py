"""A program that the verifier refuses: the line of its source, the reason, and what helps."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.objects import compiled
from support.refused_programs import REFUSED, Refused

from xdplab import Lab, Program, VerifierError
from xdplab.core.errors import ConfigurationError
from xdplab.programs.lines import Lines
from xdplab.refusals.verifier import verifier_error
from xdplab.refusals.verifier_hints import HINTS

pytestmark = pytest.mark.kernel


def refusal(lab: Lab, refused: Refused) -> VerifierError:
    with pytest.raises(VerifierError) as raised:
        Program(refused.source, lab.port)
    return raised.value


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_has_the_line_the_reason_and_a_hint(lab: Lab, what: str) -> None:
    refused = REFUSED[what]
    error = refusal(lab, refused)
    expected = refused.through_broker if lab.backend == "broker" else ""
    assert (expected or refused.hint) in error.hint
    assert (error.where is not None) == refused.has_line
    if error.where:
        assert error.where.file == "program.c"
        assert refused.source.splitlines()[error.where.line - 1] == error.where.text
        assert str(error.where) in str(error)
    assert error.reason in str(error)
    assert error.hint in str(error)
    assert "\nprocessed " in error.log
    assert len(str(error).splitlines()) < 24  # one screen


def test_each_hint_is_earned() -> None:
    earned = {each.hint for each in REFUSED.values()}
    earned |= {each.through_broker for each in REFUSED.values()} - {""}
    for _pattern, hint in HINTS:
        assert any(part in hint for part in earned), hint


def test_a_refusal_is_the_same_in_another_process(lab: Lab) -> None:
    error = refusal(lab, REFUSED["never ends"])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.where, again.log, again.hint) == (error.where, error.log, error.hint)


def test_without_debug_information_the_reason_and_the_hint_are_there(lab: Lab) -> None:
    with_lines = compiled(REFUSED["returns what has no value"].source)
    stripped = with_lines.replace(b".BTF.ext\0", b".BTF.not\0")
    with pytest.raises(VerifierError) as raised:
        Program(stripped, lab.port)
    assert raised.value.where is None
    assert raised.value.reason == "R0 !read_ok"
    assert raised.value.hint in str(raised.value)


@settings(max_examples=150)
@given(st.data())
def test_lines_of_a_damaged_object_are_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(compiled(REFUSED["never ends"].source))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(len(damaged) // 2, len(damaged)))])
    try:
        lines = Lines(cut)
    except ConfigurationError:
        return
    for instruction in (0, 5, 10**6):
        lines.of(instruction)


@settings(max_examples=150)
@given(st.text() | st.from_regex(r"(\d+: \(|R1|from|at insn \d+|\n)*"))
def test_any_log_makes_an_error(log: str) -> None:
    error = verifier_error("load it", 22, log)
    assert error.log == log
    assert re.search("verifier refuses", str(error))
