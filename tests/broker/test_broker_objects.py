"""A client's own programs: what is loaded of them, and what is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.brokers import Broker
from support.clients import as_user, make_veth, own_network
from support.objects import COUNTER, COUNTING, HEAD, read_counter, sealed
from support.waiting import eventually

from xdplab.broker import protocol
from xdplab.broker.client import connect
from xdplab.broker.daemon.object_rules import check_spec, size_of
from xdplab.core.errors import ClosedError, ConfigurationError, KernelError, PermissionRefusedError
from xdplab.programs.spec import ProgramSpec, parse

PROGRAMS, PER_CPU_ARRAY, DEVICES = 3, 6, 14  # enum bpf_map_type
SEEN_BY_VERIFIER = {
    # Reads any memory of the kernel's.
    "reads the kernel": """
SEC("xdp") int reads(struct xdp_md *context)
{
	__u64 stolen = 0;
	__u32 key = 0;
	bpf_probe_read_kernel(&stolen, sizeof(stolen), (void *)0xffffffff81000000);
	bpf_map_update_elem(&counts, &key, &stolen, 0);
	return XDP_PASS;
}""",
    # Tells where something of the kernel's is.
    "leaks a pointer": """
SEC("xdp") int leaks(struct xdp_md *context)
{
	__u32 key = 0;
	__u64 address = (__u64)(long)context;
	bpf_map_update_elem(&counts, &key, &address, 0);
	return XDP_PASS;
}""",
    "leaks where a map is": """
SEC("xdp") int leaks_map(struct xdp_md *context)
{
	__u32 key = 0;
	__u64 *counted = bpf_map_lookup_elem(&counts, &key);
	if (counted)
		*counted = (__u64)(long)counted;
	return XDP_PASS;
}""",
    "looks at a task": """
SEC("xdp") int looks(struct xdp_md *context)
{
	__u32 key = 0;
	__u64 task = bpf_get_current_task();
	bpf_map_update_elem(&counts, &key, &task, 0);
	return XDP_PASS;
}""",
    "prints into the kernel's trace": """
SEC("xdp") int prints(struct xdp_md *context)
{
	static const char text[] = "hello";
	bpf_trace_printk(text, sizeof(text));
	return XDP_PASS;
}""",
    "reads past the packet": """
SEC("xdp") int past(struct xdp_md *context)
{
	return *(volatile __u32 *)(long)context->data_end;
}""",
    "never ends": """
SEC("xdp") int endless(struct xdp_md *context)
{
	volatile __u32 forever = 1;
	while (forever) {}
	return XDP_PASS;
}""",
}
NOT_SUPPORTED = {
    "takes the address of a function": """
static int other(__u32 index, void *at) { return *(__u32 *)at == index; }
SEC("xdp") int calls(struct xdp_md *context)
{ __u32 at = 3; return bpf_loop(5, other, &at, 0); }""",
    "calls the kernel": """
extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *context, __u32 *hash, int *type) __ksym;
SEC("xdp") int kernel(struct xdp_md *context)
{ __u32 hash; int type; return bpf_xdp_metadata_rx_hash(context, &hash, &type); }""",
    "holds programs": """
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4);
         __uint(value_size, 4); } programs SEC(".maps");
SEC("xdp") int tail(struct xdp_md *context)
{ bpf_tail_call(context, &programs, 0); return XDP_PASS; }""",
    # The kernel looks up what a client enters in it where the client is: in the host's namespace.
    "sends through what a map names": """
struct { __uint(type, BPF_MAP_TYPE_DEVMAP); __uint(max_entries, 4); __uint(key_size, 4);
         __uint(value_size, 4); } devices SEC(".maps");
SEC("xdp") int sends(struct xdp_md *context) { return bpf_redirect_map(&devices, 0, 0); }""",
    "pins a map": """
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, __u32);
         __type(value, __u64); __uint(pinning, LIBBPF_PIN_BY_NAME); } pinned SEC(".maps");
SEC("xdp") int pins(struct xdp_md *context)
{ __u32 key = 0; return !!bpf_map_lookup_elem(&pinned, &key); }""",
    "takes too much memory": """
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 100000000); __type(key, __u32);
         __type(value, __u64); } large SEC(".maps");
SEC("xdp") int takes(struct xdp_md *context)
{ __u32 key = 0; return !!bpf_map_lookup_elem(&large, &key); }""",
    "is no XDP program": """
SEC("tc") int classify(struct __sk_buff *buffer) { return 0; }""",
    "traces": """
SEC("kprobe/do_exit") int traces(void *context) { return 0; }""",
}


def load(broker: Broker, data: bytes, name: str = "xdp") -> tuple[list[str], list[int]]:
    """Let the calling client have an object attached in a namespace of its own."""
    namespace = own_network()
    port, _ = make_veth()
    connection = connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)
    arguments = {"name": name, "queues": 1}
    answer, maps = connection.request("load_object", arguments, [sealed(data)])
    where = {"program": answer["program"], "interface": port, "attach_mode": 0}
    _, links = connection.request("attach_object", where)
    return [each["name"] for each in answer["maps"]], [*links, *maps]


def send_frames(count: int) -> None:
    import socket

    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("peer0", 0))
        for _ in range(count):
            sender.send(b"\x02" * 12 + b"\x88\xb5" + bytes(50))


def test_a_program_of_ones_own_runs_and_counts_in_its_maps(
    broker: Broker, compiled: Callable[[str], bytes]
) -> None:
    data = compiled(COUNTING)

    def client() -> tuple[list[str], int]:
        names, (_link, *maps) = load(broker, data, "count")
        counts = maps[names.index("counts")]
        before = read_counter(counts, 2)
        send_frames(3)
        eventually(lambda: read_counter(counts, 2) - before >= 1 + 2 + 3)
        return names, read_counter(counts, 2) - before

    names, counted = as_user(client)
    assert set(names) == {"counts", ".rodata", ".bss"}
    assert counted >= 1 + 2 + 3


def test_a_session_replaces_programs_of_its_own_links_only(
    broker: Broker, compiled: Callable[[str], bytes]
) -> None:
    """Another link that the client holds could be on an interface of the host's."""
    data = compiled(COUNTING)

    def client() -> list[str]:
        namespace = own_network()
        port, peer = make_veth()
        said = []
        links = []
        connections = [
            connect(protocol.NETWORK, descriptor=namespace, path=broker.socket) for _ in range(2)
        ]
        for connection, interface in zip(connections, (port, peer), strict=True):
            answer, maps = connection.request(
                "load_object", {"name": "", "queues": 1}, [sealed(data)]
            )
            where = {"program": answer["program"], "interface": interface, "attach_mode": 0}
            links += connection.request("attach_object", where)[1]
        program = {"program": answer["program"]}
        file = os.open("/etc/passwd", os.O_RDONLY)
        for wrong in (links[0], maps[0], file, namespace):
            with pytest.raises(ConfigurationError, match="a link that this session made"):
                connections[1].request("replace_object", program, [wrong])
            said.append("refused")
        connections[1].request("replace_object", program, [links[1]])
        connections[1].request("unload_object", program)
        for operation in ("unload_object", "attach_object"):
            arguments = where if operation == "attach_object" else program
            with pytest.raises(ClosedError, match="no such program"):
                connections[1].request(operation, arguments)
        return said

    assert as_user(client) == ["refused"] * 4


SLOW = r"""
SEC("xdp") int slow(struct xdp_md *context)
{
	__u32 key = 1;
	__u64 *counted = bpf_map_lookup_elem(&counts, &key);

	if (counted)
		*counted += 1;
	/* Few branches: without CAP_PERFMON the verifier takes 8,192. Helper 8 tells the core. */
	for (__u32 i = 0; i < 50; i++)
		asm volatile(".rept 300\n call 8\n .endr" ::: "r0", "r1", "r2", "r3", "r4", "r5");
	return XDP_PASS;
}"""


def test_a_run_of_a_clients_program_ends_after_its_time(
    broker: Broker, compiled: Callable[[str], bytes]
) -> None:
    """A session would be busy for minutes, and its client's user could not end it."""
    data = compiled(HEAD + COUNTER + SLOW)

    def client() -> tuple[str, str, int]:
        namespace = own_network()
        connection = connect(protocol.NETWORK, descriptor=namespace, path=broker.socket)
        loaded = {"name": "", "queues": 1}
        answer, maps = connection.request("load_object", loaded, [sealed(data)])
        counts = maps[[each["name"] for each in answer["maps"]].index("counts")]
        frame = b64encode(bytes(60)).decode()
        run = {"program": answer["program"], "interface": 1, "frame": frame, "queue": -1}
        with pytest.raises(KernelError, match="a smaller repeat") as refused:
            connection.request("run_object", {**run, "repeat": 1_000_000})
        assert 1 < read_counter(counts, 1) < 1_000_000
        after, _ = connection.request("run_object", {**run, "repeat": 1})
        assert b64decode(after["output"]) == bytes(60)
        with pytest.raises(ClosedError, match="no such program"):
            connection.request("run_object", {**run, "repeat": 1, "program": 99})
        return type(refused.value).__name__, refused.value.tried, after["verdict"]

    assert as_user(client) == ("KernelError", "run the XDP program on a frame of 60 bytes", 2)


@pytest.mark.parametrize("what", SEEN_BY_VERIFIER)
def test_the_verifier_refuses_a_program_that(
    broker: Broker, compiled: Callable[[str], bytes], what: str
) -> None:
    data = compiled(HEAD + COUNTER + SEEN_BY_VERIFIER[what])

    def client() -> str:
        with pytest.raises(
            (KernelError, PermissionRefusedError), match="load the XDP program"
        ) as said:
            load(broker, data)
        assert said.value.errno
        return str(said.value)

    assert re.search("EACCES|EINVAL|EPERM", as_user(client))


@pytest.mark.parametrize("what", NOT_SUPPORTED)
def test_a_session_refuses_an_object_that(
    broker: Broker, compiled: Callable[[str], bytes], what: str
) -> None:
    data = compiled(HEAD + NOT_SUPPORTED[what])

    def client() -> str:
        with pytest.raises(ConfigurationError, match="the object file can't be loaded"):
            load(broker, data)
        return "refused"

    assert as_user(client) == "refused"


@pytest.mark.parametrize("size", [0, 1, 63, 1000, 3 << 20])
def test_what_is_no_object_is_refused(broker: Broker, size: int) -> None:
    def client() -> str:
        with pytest.raises(ConfigurationError):
            load(broker, b"\x7fELF\x02\x01\x01".ljust(size, b"\0")[:size])
        return "refused"

    assert as_user(client) == "refused"


def test_each_function_counts_as_a_program(compiled: Callable[[str], bytes]) -> None:
    body = "static __attribute__((noinline)) int part{0}(int a) {{ return a * a + {0}; }}\n"
    source = HEAD + "".join(body.format(number) for number in range(9))
    calls = "".join(f"a += part{number}(a);" for number in range(9))
    program = f'SEC("xdp") int all(struct xdp_md *at) {{ int a = at->data; {calls} return a; }}'
    spec = check_spec(parse(compiled(source + program)).plain(), 1)
    alone = size_of(spec._replace(instructions=bytes(len(spec.instructions))))
    assert size_of(spec) - alone == 9 * 8192


def changed(spec: ProgramSpec, **fields: object) -> dict[str, Any]:
    return spec.plain() | fields


def test_a_lying_parser_gets_nothing_past_the_session(compiled: Callable[[str], bytes]) -> None:
    """The process that reads an object could have been taken over by it."""
    spec = parse(compiled(COUNTING), "count")
    assert check_spec(spec.plain(), 1).maps
    plain = spec.plain()
    map_ = plain["maps"][0]
    load_64, call = 0x18, 0x85

    def program(code: int, source: int, number: int = 0) -> dict[str, Any]:
        first = bytes((code, source << 4, 0, 0)) + number.to_bytes(4, "little")
        return changed(spec._replace(instructions=first + bytes(8)))

    of_map = [
        {"type": PROGRAMS},
        {"type": DEVICES},
        {"type": "2"},
        {"entries": -1},
        {"entries": 2**32},
        {"flags": 8},
        {"initial": "AAAA"},
        {"frozen": 1},
        {"name": "x" * 64},
        {"more": 1},
    ]
    of_all = [
        {"more": 1},
        {"instructions": "!"},
        {"instructions": ""},
        {"maps": None},
        {"maps": [map_] * 33},
        {"flags": 64},
        {"license": 5},
        {"name": "x" * 64},
        {"name": "a/b"},
        *({"maps": [{**map_, **wrong}]} for wrong in of_map),
    ]
    # A map by its descriptor, or what else that is; a type's address; a function's; too many maps;
    # a function behind the program; one of the kernel's; one by its address.
    instructions = [(load_64, kind, 3) for kind in range(1, 7)]
    instructions += [(load_64, 6, 2**31), (call, 1, 1), (call, 2, 0), (0x8D, 0, 0)]
    lies: list[object] = [None, [], {}, 1, *({**plain, **wrong} for wrong in of_all)]
    lies += [program(*each) for each in instructions]
    for lie in lies:
        with pytest.raises(ConfigurationError):
            check_spec(lie, 1)


def test_a_per_cpu_map_counts_for_each_core_that_may_ever_come(
    compiled: Callable[[str], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = parse(compiled(COUNTING), "count").plain()
    plain["maps"][0] |= {"type": PER_CPU_ARRAY, "value_size": 1, "entries": 10_000}
    assert check_spec(plain, 1).maps
    monkeypatch.setattr("xdplab.broker.daemon.object_rules._CPUS", 512)
    with pytest.raises(ConfigurationError, match="its maps take more"):
        check_spec(plain, 1)


@settings(
    max_examples=300, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(st.data())
def test_a_damaged_object_is_read_or_refused(
    compiled: Callable[[str], bytes], data: st.DataObject
) -> None:
    damaged = bytearray(compiled(COUNTING))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    try:
        read = check_spec(parse(cut, "count").plain(), 1)
    except ConfigurationError as error:
        assert str(error)
    else:
        # It can be handed on as it was read: the same bytes, map for map.
        assert check_spec(read.plain(), 1) == read


FUZZER = """
import sys, atheris
with atheris.instrument_imports(include=["xdplab.programs.elf", "xdplab.programs.btf",
                                         "xdplab.programs.spec", "xdplab.broker.protocol",
                                         "xdplab.broker.daemon.object_rules"]):
    from xdplab.programs import btf, elf, spec
    from xdplab.broker import protocol
    from xdplab.broker.daemon import object_rules
from xdplab.broker.requests import check_request
from xdplab.core.errors import XdplabError

def one(data):
    try:
        if data[:4] == bytes(4):
            check_request(*protocol.decode_request(data[4:])[:2], 0)
        else:
            object_rules.check_spec(spec.parse(data, "count").plain(), 1)
    except (XdplabError, protocol.Malformed):
        pass

atheris.Setup(sys.argv, one)
atheris.Fuzz()
"""


def test_a_fuzzer_that_follows_coverage_finds_no_way_out(
    compiled: Callable[[str], bytes], tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "object").write_bytes(compiled(COUNTING))
    (corpus / "message").write_bytes(bytes(4) + protocol.encode_request("generator_status", {}))
    options = [
        "-runs=20000",
        "-seed=6",
        "-max_len=8192",
        "-timeout=10",
        f"-artifact_prefix={tmp_path}/",
    ]
    fuzzed = subprocess.run(
        [sys.executable, "-c", FUZZER, *options, corpus],
        capture_output=True,
        text=True,
        check=False,
    )
    assert fuzzed.returncode == 0, fuzzed.stderr[-3000:]
    assert "Done 20000 runs" in fuzzed.stderr
