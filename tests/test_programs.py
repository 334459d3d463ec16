"""A program of one's own on an interface: loaded, attached, replaced, refused."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.installs import SOURCE
from support.objects import COUNTER, HEAD, compiled, read_counter
from support.waiting import eventually

from xdplab import (
    ClosedError,
    ConfigurationError,
    Engine,
    KernelError,
    Lab,
    Link,
    PermissionRefusedError,
    Program,
    QueueBusyError,
    Traffic,
)
from xdplab.programs.maps import TYPES, MapFacts
from xdplab.xdp.maps import Map

pytestmark = pytest.mark.kernel  # which runs the programs

BYTES = np.dtype("V4")
SIZE = 1000  # bytes of a frame, that no other sender on the wire makes
COUNTS_FRAMES = f"""{HEAD}{COUNTER}
SEC("xdp") int count(struct xdp_md *context)
{{
	__u32 key = 1;
	__u64 *counted = bpf_map_lookup_elem(&counts, &key);
	/* The verifier lets no one without CAP_PERFMON subtract pointers. */
	const char *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;

	if (counted && data + {SIZE} <= end && data + {SIZE + 1} > end)
		__sync_fetch_and_add(counted, 1);
	return XDP_PASS;
}}
"""
READS_PAST = f"""{HEAD}
SEC("xdp") int past(struct xdp_md *context) {{ return *(volatile __u32 *)(long)context->data_end; }}
"""
PASSES = 'SEC("{section}") int {name}(struct xdp_md *context) {{ return XDP_PASS; }}\n'
TWO = HEAD + PASSES.format(section="xdp", name="one") + PASSES.format(section="xdp", name="other")


def counted(program: Program) -> int:
    return read_counter(program.maps["counts"].fileno(), 1)


def send(lab: Lab, count: int) -> None:
    """Send frames to the port, and wait until each has left."""
    with Traffic(lab.peer, lab.port, rate=2_000, size=SIZE, count=count) as traffic:
        traffic.wait(60)
        assert traffic.sent == count


def test_a_program_counts_from_attach_to_the_links_close(lab: Lab) -> None:
    with Program(compiled(COUNTS_FRAMES), lab.port) as program:
        send(lab, 20)
        assert counted(program) == 0
        with program.attach() as link:
            send(lab, 50)
            assert eventually(lambda: counted(program) == 50)
            assert link.program is program
        send(lab, 20)
        assert counted(program) == 50


def test_a_map_is_described_as_the_source_declares_it(lab: Lab) -> None:
    with Program(compiled(COUNTS_FRAMES), lab.port) as program:
        counts = program.maps["counts"]
        assert (counts.name, counts.type, counts.entries) == ("counts", 2, 4)
        assert (counts.key_size, counts.value_size) == (4, 8)


@pytest.mark.parametrize(("declared", "made"), [(4, 256), (1024, 1024)])
def test_an_xskmap_has_room_for_each_queue(lab: Lab, declared: int, made: int) -> None:
    source = f"""{HEAD}
struct {{ __uint(type, BPF_MAP_TYPE_XSKMAP); __uint(max_entries, {declared}); __type(key, __u32);
         __type(value, __u32); }} sockets_of_a_long_name SEC(".maps");
SEC("xdp") int redirect(struct xdp_md *context)
{{ return bpf_redirect_map(&sockets_of_a_long_name, context->rx_queue_index, XDP_PASS); }}
"""
    with Program(compiled(source), lab.port) as program:
        assert program.maps["sockets_of_a_long_name"].entries == made


def test_no_packet_is_lost_while_programs_take_turns(lab: Lab) -> None:
    data = compiled(COUNTS_FRAMES)
    with Program(data, lab.port) as one, Program(data, lab.port) as other:
        link = one.attach()
        with Traffic(lab.peer, lab.port, rate=20_000, size=SIZE) as traffic:
            # Under way, and through each program.
            while not (counted(one) and counted(other)):
                link.replace(other if link.program is one else one)
                time.sleep(0.005)
            for _ in range(100):
                link.replace(other if link.program is one else one)
                time.sleep(0.005)
            assert traffic.running
            traffic.stop()
            sent = traffic.sent
        assert eventually(lambda: counted(one) + counted(other) == sent)


def test_a_refused_program_leaves_the_attached_one_running(lab: Lab) -> None:
    with Program(compiled(COUNTS_FRAMES), lab.port) as program, program.attach() as link:
        with pytest.raises(KernelError, match="load the XDP program past") as refused:
            Program(compiled(READS_PAST), lab.port)
        assert "verifier refuses the program, at program.c:" in refused.value.remedy
        assert "invalid" in refused.value.remedy  # a word of the verifier's
        assert not isinstance(refused.value, PermissionRefusedError)
        send(lab, 20)
        assert eventually(lambda: counted(program) == 20)
        assert not link.closed


def test_a_link_belongs_to_the_program_that_it_runs(lab: Lab) -> None:
    data = compiled(COUNTS_FRAMES)
    first = Program(data, lab.port)
    link = first.attach()
    with Program(data, lab.port) as second:
        link.replace(second)
        first.close()
        assert not link.closed
        assert link.program is second
    assert link.closed


def test_a_closed_program_says_so(lab: Lab) -> None:
    program = Program(compiled(COUNTS_FRAMES), lab.port)
    link, counts = program.attach(), program.maps["counts"]
    program.close()
    program.close()
    assert link.closed
    with pytest.raises(ClosedError, match="Load it again"):
        program.attach()
    with pytest.raises(ClosedError, match="closed, with its program"):
        counts.fileno()
    with pytest.raises(ClosedError, match="attach anew"):
        link.fileno()
    with Program(compiled(COUNTS_FRAMES), lab.port) as another:
        with pytest.raises(ClosedError, match="attach anew"):
            link.replace(another)
        another.attach()  # nothing is left on the interface


def test_a_link_stays_though_no_variable_holds_it(lab: Lab) -> None:
    with Program(compiled(COUNTS_FRAMES), lab.port) as program:
        program.attach()
        send(lab, 20)
        assert eventually(lambda: counted(program) == 20)


def test_a_program_stays_in_the_namespace_that_it_was_loaded_for(lab: Lab) -> None:
    data = compiled(COUNTS_FRAMES)
    with Program(data, lab.port) as program, Program(data, lab.peer) as other:
        with pytest.raises(ConfigurationError, match=r"Program\(source, interface\)"):
            program.attach(lab.peer)
        with pytest.raises(ConfigurationError, match=r"Program\(source, link\.interface\)"):
            program.attach().replace(other)
        other.attach()


def test_an_engines_interface_has_no_room_for_a_program_and_the_reverse(lab: Lab) -> None:
    with Program(compiled(COUNTS_FRAMES), lab.port) as program:
        with Engine(lab.port), pytest.raises(QueueBusyError, match=r"engine\.close\(\)"):
            program.attach()
        with program.attach(), pytest.raises(QueueBusyError, match=r"link\.close\(\)"):
            Engine(lab.port)
        with Engine(lab.port):
            pass


def test_long_packets_take_a_program_for_several_buffers(privileged: None) -> None:
    with Lab(mtu=9000) as lab:
        plain = Program(compiled(HEAD + PASSES.format(section="xdp", name="one")), lab.port)
        with plain, pytest.raises(KernelError, match=r'put the program into SEC\("xdp\.frags"\)'):
            plain.attach()
        several = compiled(HEAD + PASSES.format(section="xdp.frags", name="one"))
        with Program(several, lab.port) as program:
            program.attach()


def test_a_program_may_run_in_the_stack(lab: Lab) -> None:
    with Program(compiled(COUNTS_FRAMES), lab.port) as program:
        assert program.attach(attach="skb").attach == "skb"


def test_one_of_several_programs_is_named(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match="2 XDP programs: name one of one, other"):
        Program(compiled(TWO), lab.port)
    with Program(compiled(TWO), lab.port, name="other") as program:
        program.attach()
    with pytest.raises(ConfigurationError, match="no XDP programs 'third': name one of one, other"):
        Program(compiled(TWO), lab.port, name="third")


def test_a_cell_that_runs_again_replaces_its_link(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xdplab.net.replacing.current_cell", lambda: "a cell")
    links: list[Link] = []
    for _ in range(2):
        links.append(Program(compiled(COUNTS_FRAMES), lab.port).attach())
    assert [link.closed for link in links] == [True, False]
    links[1].program.close()


@pytest.mark.privilege  # in the suites of other backends there are no pages
def test_the_page_about_programs_can_be_typed(privileged: None, tmp_path: Path) -> None:
    page = (SOURCE / "docs" / "programs.md").read_text()
    source, code = (
        re.findall(f"```{language}\n(.*?)```", page, re.DOTALL)[0] for language in ("c", "py")
    )
    (tmp_path / "count.c").write_text(source)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "received=1" in done.stdout
    assert re.search(r"^packets +array +1 +4 +8$", done.stdout, re.MULTILINE)
    (command,) = re.findall("`(clang .*?count.o)`", page)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    code = code.replace("count.c", "count.o")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True)


def test_what_is_no_object_is_refused(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("SEC")
    for source in (b"", b"\x7fELF", bytes(3 << 20), tmp_path / "text"):
        with pytest.raises(ConfigurationError, match="the object file"):
            Program(source, lab.port)
    for wrong in (None, 3, "", tmp_path):
        with pytest.raises(ConfigurationError, match="source="):
            Program(wrong, lab.port)  # type: ignore[arg-type]
    with pytest.raises(KernelError, match=r"read the object file .*nowhere"):
        Program(tmp_path / "nowhere", lab.port)
    with Program(compiled(COUNTS_FRAMES), lab.port) as program:
        with pytest.raises(ConfigurationError, match="attach="):
            program.attach(attach="offload")
        with pytest.raises(ConfigurationError, match="program="):
            program.attach().replace(None)  # type: ignore[arg-type]


def test_a_simulated_lab_runs_no_program() -> None:
    with (
        Lab(backend="soft") as lab,
        pytest.raises(ConfigurationError, match=r"simulated.*Lab\(backend='kernel'\)"),
    ):
        Program(b"", lab.port)


def test_a_maps_type_has_the_name_that_the_library_gives_it() -> None:
    libbpf = ctypes.CDLL("libbpf.so.1")
    libbpf.libbpf_bpf_map_type_str.restype = ctypes.c_char_p
    known = [libbpf.libbpf_bpf_map_type_str(number) for number in range(len(TYPES))]
    named = [name.decode() for name in known if name is not None]
    # Two cgroup storages are deprecated in newer headers, which name them so.
    assert [name.removesuffix("_deprecated") for name in named] == list(TYPES[: len(named)])
    assert str(Map(MapFacts("flows", 17, 4, 4, 64), os.dup(0), BYTES, BYTES)).splitlines()[
        -1
    ].split() == [*("flows", "xskmap", "64", "4", "4")]
