"""``%%xdp``: a cell with an XDP program, that runs again while packets flow."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.loads import DEEP_RING, HOLDABLE_RATE
from support.objects import COUNTER, HEAD, read_counter
from support.waiting import eventually
from support.xskmaps import TO_SOCKET, XSKMAP

pytest.importorskip("IPython")

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from xdplab import Engine, Lab, Program, Traffic

pytestmark = pytest.mark.kernel

SIZE = 1000  # bytes of a frame, that no other sender on the wire makes
COUNTS = f"""{HEAD.lstrip()}{COUNTER}
SEC("xdp") int counts_frames(struct xdp_md *context)
{{
	__u32 key = 1;
	__u64 *counted = bpf_map_lookup_elem(&counts, &key);
	const char *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;

	if (counted && data + {SIZE} <= end && data + {SIZE + 1} > end)
		__sync_fetch_and_add(counted, 1);
	return XDP_PASS;
}}
"""
ATTACH = "%%xdp count --attach lab.port\n"
_COLORS = re.compile(r"\x1b\[[0-9;]*m")

Run = Callable[[str], str]


@pytest.fixture
def shell(lab: Lab) -> Iterator[Any]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.user_ns["lab"] = lab
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def run(shell: Any) -> Run:
    """Run cells, and return what each prints."""

    def run(cell: str) -> str:
        with capture_output() as captured:
            shell.run_cell(cell, store_history=True)
        shown = [str(each) for output in captured.outputs for each in output.data.values()]
        return _COLORS.sub("", "\n".join([captured.stdout, captured.stderr, *shown]).strip())

    assert run("%load_ext xdplab") == ""
    return run


def test_a_cell_that_runs_again_loses_no_packet(lab: Lab, shell: Any, run: Run) -> None:
    assert "Program" in run(ATTACH + COUNTS)
    (link,) = shell.user_ns["count"].links
    maps = [os.dup(shell.user_ns["count"].maps["counts"].fileno())]
    with Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE // 5, size=SIZE) as traffic:
        for _ in range(3):
            assert eventually(lambda: read_counter(maps[-1], 1))
            program = shell.user_ns["count"]
            run(ATTACH + COUNTS)
            assert shell.user_ns["count"] is not program
            assert program.closed
            maps.append(os.dup(shell.user_ns["count"].maps["counts"].fileno()))
        assert traffic.running
        traffic.stop()
        sent = traffic.sent
    assert shell.user_ns["count"].links == (link,)
    assert eventually(lambda: sum(read_counter(map_, 1) for map_ in maps) == sent)
    for map_ in maps:
        os.close(map_)


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        ("return XDP_PAS;", "CompileError", "use of undeclared identifier 'XDP_PAS'"),
        ("return *(char *)data;", "VerifierError", "data_end before each access"),
        ("return XDP_PASS;", "ConfigurationError", "lba.port can't be evaluated"),
    ],
)
def test_a_refused_cell_changes_nothing(
    shell: Any, run: Run, wrong: str, kind: str, words: str
) -> None:
    run(ATTACH + COUNTS)
    program = shell.user_ns["count"]
    links = program.links
    attach = ATTACH.replace("lab", "lba") if "lba" in words else ATTACH
    cell = attach + COUNTS.replace("return XDP_PASS;", wrong)
    said = run(cell)
    assert re.search(rf"^{kind}: ", said, re.MULTILINE)
    assert words in said
    number = 1 if "lba" in words else 1 + cell.splitlines().index(f"\t{wrong}")
    assert f"----> {number} " in said
    assert "run_cell_magic" not in said
    assert shell.user_ns["count"] is program
    assert program.links == links
    assert not program.closed
    if wrong != "return XDP_PASS;":
        assert f"count.c:{number}" in said


def test_a_program_may_be_loaded_now_and_attached_later(lab: Lab, shell: Any, run: Run) -> None:
    assert "write %%xdp count --attach lab.port" in run("%%xdp count\n" + COUNTS)
    assert "count" not in shell.user_ns
    run("%%xdp count --load lab.port\n" + COUNTS)
    first = shell.user_ns["count"]
    assert first.links == ()
    link = first.attach(attach="skb")
    run("%%xdp count\n" + COUNTS)  # for the same port
    assert shell.user_ns["count"].links == (link,)
    run("%%xdp count --attach lab.port --mode native\n" + COUNTS)
    assert [link.attach for link in shell.user_ns["count"].links] == ["native"]
    assert link.closed


def test_one_of_several_programs_is_chosen(shell: Any, run: Run) -> None:
    two = COUNTS + COUNTS.split('SEC(".maps");')[1].replace("counts_frames", "other")
    assert "name one of counts_frames, other" in run(ATTACH + two)
    run(f"{ATTACH[:-1]} --name other\n{two}")
    assert isinstance(shell.user_ns["count"], Program)


@pytest.mark.parametrize("line", ["%%xdp 7up --attach lab.port", "%%xdp", "%%xdp a --mode fast"])
def test_a_line_that_is_no_call_says_what_is(run: Run, line: str) -> None:
    said = run(f"{line}\n{COUNTS}")
    assert re.search("UsageError", said)
    assert "Traceback" not in said


def test_the_help_has_an_example_and_each_option(shell: Any, run: Run) -> None:
    assert run("%xdp?" if shell.find_line_magic("xdp") else "%%xdp?") is not None
    told = shell.find_cell_magic("xdp").__doc__
    for word in (
        "%%xdp [--attach",
        "%%xdp count --attach lab.port",
        "--mode",
        "--name",
        "--load",
        "NAME",
    ):
        assert word in told


def test_warnings_are_shown(run: Run) -> None:
    assert "unused variable" in run(ATTACH + COUNTS.replace("return XDP", "int i; return XDP"))


def test_a_new_lab_gets_the_program(lab: Lab, shell: Any, run: Run) -> None:
    run(ATTACH + COUNTS)
    first = shell.user_ns["count"]
    with Lab(number=1) as other:
        shell.user_ns["lab"] = other
        run(ATTACH + COUNTS)
        assert first.closed
        (link,) = shell.user_ns["count"].links
        assert link.interface.namespace.identity == other.port.interface.namespace.identity
        shell.user_ns["count"].close()


@pytest.mark.privilege  # which detaching by the link's descriptor takes
def test_a_link_that_was_detached_is_attached_anew(shell: Any, run: Run) -> None:
    run(ATTACH + COUNTS)
    (link,) = shell.user_ns["count"].links
    assert ctypes.CDLL("libbpf.so.1").bpf_link_detach(link.fileno()) == 0
    run(ATTACH + COUNTS)
    assert link.closed
    (another,) = shell.user_ns["count"].links
    assert not another.closed


def test_an_engine_follows_the_cells_program_without_loss(lab: Lab, shell: Any, run: Run) -> None:
    cell = f"""%%xdp steer --attach lab.port
{HEAD.lstrip()}{XSKMAP.format(name="sockets")}
SEC("xdp") int steer(struct xdp_md *context)
{{
	const char *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;

	if (data + {SIZE} > end || data + {SIZE + 1} <= end)
		return XDP_PASS;
	{TO_SOCKET}
}}
"""
    run(cell)
    with (
        Engine(lab.port, program=shell.user_ns["steer"], ring_size=DEEP_RING) as engine,
        Traffic(lab.peer, lab.port, rate=HOLDABLE_RATE // 5, size=SIZE) as traffic,
    ):
        assert eventually(lambda: engine.telemetry.total()["rx_packets"])
        for _ in range(3):
            program = shell.user_ns["steer"]
            run(cell)
            assert program.closed
        assert traffic.running
        traffic.stop()
        assert eventually(lambda: engine.telemetry.total()["rx_packets"] == traffic.sent)
