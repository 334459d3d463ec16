"""Functions that are not inlined: placed behind the program that calls them."""

from __future__ import annotations

import pytest
from support.objects import COUNTER, HEAD, compiled, read_counter

from xdplab import Lab, Program, VerifierError
from xdplab.programs.elf import ElfObject, ObjectFileError
from xdplab.programs.functions import Linked
from xdplab.programs.lines import Lines

pytestmark = pytest.mark.kernel

# `twice` is global, and has a map; `more` is static and called by both; `again` calls `more`, and
# is in the section of the program.
SOURCE = f"""{HEAD}{COUNTER}
#define APART __attribute__((noinline))
static APART int more(int verdict) {{ return verdict + (int)bpf_get_smp_processor_id() * 0 + 1; }}
APART int twice(__u32 key)
{{
	__u64 *counted = bpf_map_lookup_elem(&counts, &key);
	if (counted)
		*counted += 2;
	return more(key);
}}
SEC("xdp/again") APART int again(struct xdp_md *context) {{ return more(0) + twice(3) - 4; }}
SEC("xdp") int first(struct xdp_md *context) {{ return more(twice(1)) == 3 ? XDP_PASS : XDP_DROP; }}
"""


def test_a_program_calls_functions_with_maps_of_their_own(lab: Lab) -> None:
    with Program(compiled(SOURCE), lab.port, name="first") as program, program.attach():
        answer = lab.peer.ping(lab.port.ipv4)
        assert answer.received == answer.sent
        assert read_counter(program.maps["counts"].fileno(), 1) >= 2


def test_each_function_is_placed_once() -> None:
    linked = Linked(ElfObject(compiled(SOURCE)), "first")
    assert [one.symbol.name for one in linked.functions] == ["first", "twice", "more"]
    assert sum(one.symbol.size for one in linked.functions) == len(linked.code)
    lines = SOURCE.splitlines()
    told = Lines(compiled(SOURCE), "first")
    for one in linked.functions:
        found = told.of(one.place // 8)
        assert found is not None
        assert found.text == lines[found.line - 1]
    last = told.of(len(linked.code) // 8 - 1)
    assert last is not None
    assert "more(int verdict)" in last.text


def test_a_refusal_inside_a_function_has_its_line(lab: Lab) -> None:
    wrong = SOURCE.replace("if (counted)", "")
    with pytest.raises(VerifierError) as refused:
        Program(compiled(wrong), lab.port, name="first")
    assert refused.value.where is not None
    assert refused.value.where.text.strip() == "*counted += 2;"
    assert "lookup returns NULL" in refused.value.hint


def test_a_call_of_what_is_not_there_is_refused() -> None:
    source = f'{HEAD}extern int gone(int); SEC("xdp") int calls(void *at) {{ return gone(1); }}'
    with pytest.raises(ObjectFileError, match="calls a function that is not in it"):
        Linked(ElfObject(compiled(source)), "")
