"""The widget of an attached XDP program, without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.loads import HOLDABLE_RATE
from support.objects import COUNTING, HEAD, compiled
from support.seen import control, parts, rows, word
from support.severed_links import sever
from support.waiting import eventually
from support.xskmaps import steering

from xdplab import GALLERY, ConfigurationError, Engine, Lab, Link, Program, Traffic, VerifierError
from xdplab.widgets import ProgramView

pytestmark = pytest.mark.kernel  # which runs the programs

COUNT = 500
REFUSED = f'{HEAD}SEC("xdp") int bad(struct xdp_md *c) {{ return *(int *)(long)c->data; }}\n'
LARGE = f"""{HEAD}
struct {{ __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 100000); __type(key, __u32);
         __type(value, __u64); }} large SEC(".maps");
SEC("xdp") int uses(struct xdp_md *context)
{{
	__u32 key = 0;
	return bpf_map_lookup_elem(&large, &key) ? XDP_PASS : XDP_DROP;
}}
"""


@pytest.fixture
def view(lab: Lab) -> Iterator[ProgramView]:
    """Show the counting program of the gallery, attached to the port."""
    with Program(GALLERY["count"], lab.port) as program:
        shown = ProgramView(program.attach(), {**GALLERY, "refused": REFUSED})
        yield shown
        shown.close()


def send(lab: Lab) -> None:
    with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE, count=COUNT) as traffic:
        traffic.wait(60)


def gone(view: ProgramView, way: str) -> bool:
    """Tell whether all that was sent has gone a way."""
    return bool(view.counts and view.counts[way] >= COUNT)


def words(view: ProgramView) -> str:
    """Collect all that it says in HTML."""
    return "".join(getattr(part, "value", "") or "" for part in parts(view))


def menu(view: ProgramView) -> tuple[str, ...]:
    return tuple(control(view, "Program").options)


def test_packets_are_counted_by_verdict_also_across_programs(lab: Lab, view: ProgramView) -> None:
    send(lab)
    assert eventually(lambda: gone(view, "passed"))
    view.replace("drop")
    send(lab)
    assert eventually(lambda: gone(view, "dropped"))
    assert view.counts is not None
    assert view.counts["dropped"] == COUNT
    assert f"{COUNT:,} dropped" in repr(view)
    assert view.counts["redirected"] == view.counts["sent"] == 0


def test_the_menu_has_the_gallery_and_shows_what_is_attached(view: ProgramView) -> None:
    assert menu(view) == ("count", *(name for name in GALLERY if name != "count"), "refused")
    chosen = control(view, "Program")
    assert chosen.value == "count"
    chosen.value = "drop"
    assert view.program.name == "drop"
    assert "XDP_DROP" in words(view)
    chosen.value = "count"
    assert view.program.name == "count"


def test_a_program_that_comes_back_has_its_counts_still(lab: Lab, view: ProgramView) -> None:
    first = view.program
    view.replace("drop")
    view.replace("count")
    assert view.program is first


def test_a_program_that_is_refused_leaves_the_old_one_and_says_why(view: ProgramView) -> None:
    before = view.program
    with pytest.raises(VerifierError):
        view.replace("refused")
    assert view.program is before
    chosen = control(view, "Program")
    chosen.value = "refused"
    assert view.program is before
    assert chosen.value == "count"
    assert "could not load the XDP program" in word(view, "Program")
    chosen.value = "pass"
    assert word(view, "Program") == ""
    with pytest.raises(ConfigurationError, match="name='none' is none of: count, "):
        view.replace("none")


def test_a_program_of_ones_own_is_in_the_menu(lab: Lab) -> None:
    with Program(COUNTING, lab.port) as program:
        view = ProgramView(program.attach())
        assert menu(view)[0] == "count (yours)"
        view.replace("drop")
        view.replace("count (yours)")
        assert view.program is program
        view.close()
        assert not program.closed


def test_what_is_put_in_its_place_elsewhere_is_shown(lab: Lab, view: ProgramView) -> None:
    with Program(COUNTING, lab.port) as program:
        view.program.links[0].replace(program)
        repr(view)
        view._beat()
        assert control(view, "Program").value == "count (yours)"
        assert "static __u64 seen" in words(view)
        view.replace("pass")


def test_its_maps_variables_and_source_are_shown(lab: Lab) -> None:
    with Program(GALLERY["reflect"], lab.port) as program:
        view = ProgramView(program.attach(), {})
        program.variables["port"] = 4711
        repr(view)
        view._beat()
        assert "4711" in words(view)
        assert "SEC(&quot;xdp.frags&quot;)" in words(view)
        view.close()
    with Program(LARGE, lab.port) as program:
        view = ProgramView(program.attach(), {})
        assert "too large to be read all the time" in words(view)
        view.close()
    with Program(compiled(COUNTING), lab.port) as program:
        view = ProgramView(program.attach(), {})
        assert "It was loaded from an object file" in words(view)
        view.close()


def test_a_run_is_timed_and_its_rates_are_drawn(lab: Lab, view: ProgramView) -> None:
    with Traffic(lab.peer, lab.port, rate=500, seconds=600):
        assert eventually(lambda: "ns a run" in drawn(view))
        assert max(rows(view, "rates")["passed"]) > 0


def drawn(view: ProgramView) -> str:
    repr(view)
    view._beat()
    return " ".join(rows(view, "words")["text"])


def test_close_frees_what_the_widget_loaded_and_leaves_what_is_attached(
    lab: Lab, view: ProgramView
) -> None:
    view.replace("drop")
    dropping = view.program
    view.replace("pass")
    passing = view.program
    view.close()
    assert dropping.closed
    assert not passing.closed
    assert "attached to port0" in str(passing)
    passing.close()


@pytest.mark.parametrize("detach", [Link.close, sever])
def test_a_detached_program_is_told(
    lab: Lab, view: ProgramView, detach: Callable[[Link], None]
) -> None:
    detach(view.program.links[0])
    assert "count: detached" in repr(view)
    view._beat()
    assert "count: detached" in words(view)


def test_where_the_driver_counts_no_verdicts_it_says_so(lab: Lab) -> None:
    with Program(GALLERY["pass"], lab.port) as program, pytest.raises(ConfigurationError):
        ProgramView(program)
    with Program(GALLERY["pass"], lab.port) as program:
        program.attach(attach="skb")
        view = ProgramView(program)
        send(lab)
        assert "does not count" in repr(view)
        view.close()


def test_an_engine_that_could_not_receive_keeps_its_program(lab: Lab) -> None:
    with Program(steering(), lab.port) as program, Engine(lab.port, program=program):
        view = ProgramView(program)
        control(view, "Program").value = "drop"
        assert view.program is program
        assert "has no XSKMAP" in word(view, "Program")
        view.close()
