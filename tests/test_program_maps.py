"""Maps of a loaded program as mappings and arrays, with the types that its source declares."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.installs import SOURCE as SOURCE_TREE
from support.objects import HEAD, compiled
from support.odd_values import WILD
from support.refused_calls import BPF, refuse

from xdplab import (
    ClosedError,
    ConfigurationError,
    KernelError,
    Lab,
    MissingKeyError,
    Program,
    XdplabError,
    address,
)
from xdplab.programs.elements import possible_cpus

pytestmark = pytest.mark.kernel  # which has the maps

SOURCE = f"""{HEAD}
struct flow {{ __be32 address; __u16 port; /* and padding */ }};
struct seen {{ __u64 packets; __u32 sizes[2]; struct {{ __u8 last; }} flags; }};
struct prefix {{ __u32 bits; __u8 address[4]; }};
struct label {{ char text[6]; __u8 tag[2]; }};
#define MAP(name, kind, k, v, count, more) struct {{ __uint(type, BPF_MAP_TYPE_##kind); \\
	__uint(max_entries, count); __type(key, k); __type(value, v); more }} name SEC(".maps")
MAP(counts, ARRAY, __u32, __u64, 4,);
MAP(signed_, ARRAY, __u32, __s16, 2,);
MAP(many, ARRAY, __u32, __u32, 10000,);
MAP(labels, ARRAY, __u32, struct label, 2,);
MAP(flows, HASH, struct flow, struct seen, 4,);
MAP(recent, LRU_HASH, __u32, __s32, 64,);
MAP(each_cpu, PERCPU_ARRAY, __u32, struct seen, 3,);
MAP(small, PERCPU_ARRAY, __u32, __u16, 3,);
MAP(words, PERCPU_HASH, __u32, struct label, 3,);
MAP(recent_each, LRU_PERCPU_HASH, __u32, __u32, 64,);
MAP(routes, LPM_TRIE, struct prefix, __u32, 4, __uint(map_flags, BPF_F_NO_PREALLOC););
MAP(sockets, XSKMAP, __u32, __u32, 4,);
struct {{ __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __uint(key_size, 3);
         __uint(value_size, 5); }} untyped SEC(".maps");
const volatile __u32 limit = 2;
SEC("xdp") int pass(struct xdp_md *context) {{ return limit ? XDP_PASS : XDP_DROP; }}
"""
WITH_BATCHES, WITHOUT_BATCHES = "with batches", "without batches"
_LOOKUP_BATCH, _UPDATE_BATCH = 24, 26  # enum bpf_cmd


@pytest.fixture
def maps(lab: Lab) -> Iterator[Any]:
    with Program(compiled(SOURCE), lab.port) as program:
        yield program.maps


def values_by_batch(maps: Any) -> tuple[Any, ...]:
    """Fill and read a map of each kind; return what was read."""
    read = []
    for name in ("counts", "recent", "small", "recent_each"):
        one = maps[name]
        one.update({key: 10 + key for key in range(2)})
        read += [dict(one), len(one)]
    maps["routes"].update({(8, (10, 0, 0, 0)): 1, (16, (10, 1, 0, 0)): 2})
    maps["recent"].clear()
    maps["counts"].clear()
    return *read, sorted(maps["routes"].values()), len(maps["recent"]), sum(maps["counts"].values())


def test_an_array_is_a_mapping_of_ints(maps: Any) -> None:
    counts = maps["counts"]
    assert (counts.key_dtype, counts.value_dtype) == (np.dtype("u4"), np.dtype("u8"))
    assert dict(counts) == {0: 0, 1: 0, 2: 0, 3: 0}
    counts[1] = 2**64 - 1
    maps["signed_"][0] = -5
    assert type(counts[1]) is int
    assert (counts[1], maps["signed_"][0]) == (2**64 - 1, -5)
    counts.update({2: 7})
    counts.update([(3, np.uint8(9))])
    assert list(counts.values()) == [0, 2**64 - 1, 7, 9]
    assert list(counts) == [0, 1, 2, 3]
    assert (len(counts), 3 in counts, 4 in counts, counts.get(4)) == (4, True, False, None)
    counts.clear()
    assert sum(counts.values()) == 0
    with pytest.raises(ConfigurationError, match="keys of the array counts stay"):
        del counts[0]


def test_an_array_is_read_and_written_as_one_of_numpys(maps: Any) -> None:
    many = maps["many"]
    many.update(np.arange(10_000))
    read = many.to_numpy()
    assert (read.dtype, read.shape) == (np.dtype("u4"), (10_000,))
    assert (read == np.arange(10_000)).all()
    assert np.asarray(many).sum() == many.to_numpy().sum() == sum(range(10_000))
    assert np.asarray(many, float).dtype == float


def test_keys_and_values_are_structs_as_the_program_declares_them(maps: Any) -> None:
    flows = maps["flows"]
    flows[(address("198.18.0.1"), 80)] = (3, (64, 1500), (1,))
    flows[{"address": address("198.18.0.2"), "port": 53}] = {
        "packets": 1, "sizes": [0, 0], "flags": {"last": 0},
    }  # fmt: skip
    key = next(key for key in flows if key.port == 80)
    assert int(key.address).to_bytes(4, "big") == bytes([198, 18, 0, 1])
    value = flows[key]
    assert (value.packets, value["sizes"].tolist(), value.flags.last) == (3, [64, 1500], 1)
    assert {key: 1}[next(each for each in flows if each.port == 80)] == 1
    assert key in flows
    assert (1, 1) not in flows
    flows[key] = value
    assert flows.pop(key) == value
    assert len(flows) == 1
    del flows[(address("198.18.0.2"), 53)]
    assert dict(flows) == {}
    with pytest.raises(MissingKeyError, match=r"flows has no key \(1, 1\)"):
        flows[(1, 1)]
    with pytest.raises(KeyError):
        del flows[(1, 1)]


def test_text_and_arrays_of_bytes(maps: Any) -> None:
    labels = maps["labels"]
    labels[0] = ("eth0", b"ab")
    labels[1] = ("longer", [1, 2])
    assert [(each.text, each.tag.tolist()) for each in labels.values()] == [
        (b"eth0", [97, 98]),
        (b"longer", [1, 2]),
    ]


def test_a_hash_is_read_whole_and_written_back(maps: Any) -> None:
    flows = maps["flows"]
    flows.update({(n, n): (n, (n, n), (n,)) for n in range(1, 5)})
    saved = flows.to_numpy()
    assert saved.dtype.names == ("key", "value")
    assert sorted(saved["value"]["packets"]) == [1, 2, 3, 4]
    before = dict(flows)
    flows.clear()
    assert len(flows) == 0
    assert flows.to_numpy().shape == (0,)
    flows.update(saved)
    assert dict(flows) == before


def test_a_map_without_types_has_bytes(maps: Any) -> None:
    untyped = maps["untyped"]
    assert (untyped.key_dtype, untyped.value_dtype) == (np.dtype("V3"), np.dtype("V5"))
    untyped[b"key"] = b"value"
    assert dict(untyped) == {b"key": b"value"}
    with pytest.raises(ConfigurationError, match=r"'untyped'\]: key=b'ke' must be 3 bytes"):
        untyped[b"ke"]


def test_values_of_the_cpus_are_summed_or_apart(maps: Any) -> None:
    cpus = possible_cpus()
    each = maps["each_cpu"]
    each[1] = (2**40, (1, 2**32 - 1), (3,))
    value = each[1]
    assert (value.packets, value.sizes.tolist(), value.flags.last) == (2**40, [1, 2**32 - 1], 3)
    whole, apart = each.to_numpy(), each.to_numpy(per_cpu=True)
    assert (whole.shape, apart.shape) == ((3,), (cpus, 3))
    assert apart["packets"].sum(axis=0).tolist() == [0, 2**40, 0]
    each[2] = each[1]
    assert each[2] == each[1]
    small = maps["small"]
    small[0] = 65_535
    assert (small[0], small.to_numpy().tolist()) == (65_535, [65_535, 0, 0])
    assert small.to_numpy(per_cpu=True).shape == (cpus, 3)
    recent = maps["recent_each"]
    recent[7] = 5
    assert recent.to_numpy(per_cpu=True)["value"].tolist() == [[5] + [0] * (cpus - 1)]
    assert recent.to_numpy()["value"].tolist() == [5]


def test_values_of_the_cpus_that_are_no_numbers_stay_apart(maps: Any) -> None:
    cpus = possible_cpus()
    words = maps["words"]
    words[1] = [(f"cpu{n}", b"ab") for n in range(cpus)]
    assert [each.text for each in words[1]] == [f"cpu{n}".encode() for n in range(cpus)]
    with pytest.raises(ConfigurationError, match=r"'words'\]: value\[0\]='one' must be"):
        words[1] = ("one", b"ab")


def test_the_longest_prefix_is_found(maps: Any) -> None:
    routes = maps["routes"]
    routes.update({(8, (10, 0, 0, 0)): 1, (16, (10, 1, 0, 0)): 2})
    assert (routes[(32, (10, 1, 9, 9))], routes[(32, (10, 2, 9, 9))]) == (2, 1)
    assert (32, (11, 0, 0, 0)) not in routes
    with pytest.raises(KernelError, match="A prefix has 0 to 32 bits"):
        routes[(33, (10, 0, 0, 0))] = 1
    del routes[(16, (10, 1, 0, 0))]
    assert routes[(32, (10, 1, 9, 9))] == 1


def test_what_does_not_fit_is_named(maps: Any) -> None:
    for name, key, words in (
        ("counts", "a", r"maps\['counts'\]: key='a' must be a whole number, 0 to 3"),
        ("counts", 1.0, r"maps\['counts'\]: key=1\.0 must be a whole number"),
        ("flows", 5, r"maps\['flows'\]: key=5 must be a tuple or a mapping of address, port"),
        ("flows", (1, 2**16), r"maps\['flows'\]: key\['port'\]=65536 must be .* 0 to 65535"),
        ("flows", {"address": 1}, r"key=.* must have, and no more: address, port"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            maps[name][key]
    for key in (-1, 4, 2**70):
        with pytest.raises(MissingKeyError, match=rf"counts has no key {key}: it has 0 to 3"):
            maps["counts"][key] = 1
    with pytest.raises(ConfigurationError, match=r"'counts'\]: value=-1 must be"):
        maps["counts"][0] = -1
    with pytest.raises(ConfigurationError, match=r"value\['sizes'\]=.* must be 2 of"):
        maps["flows"][(1, 1)] = (1, (1,), (1,))
    with pytest.raises(ConfigurationError, match=r"value\['sizes'\]\[1\]=-1 must be"):
        maps["flows"][(1, 1)] = (1, (1, -1), (1,))
    for wrong in (5, "text", [1, 2], np.zeros(3)):
        with pytest.raises(ConfigurationError, match="update"):
            maps["flows"].update(wrong)
    with pytest.raises(ConfigurationError, match="sockets is of the type xskmap"):
        maps["sockets"][0]


def test_an_attribute_that_nothing_reads_is_refused(maps: Any) -> None:
    for name in ("counts", "flows", "sockets"):
        with pytest.raises(ConfigurationError, match="has no 'limit'"):
            maps[name].limit = 3
        with pytest.raises(ConfigurationError, match=r"'entries' of .* can't be set"):
            maps[name].entries = 3


def test_nothing_is_written_of_what_does_not_fit(maps: Any) -> None:
    with pytest.raises(ConfigurationError, match="value=-1"):
        maps["counts"].update({0: 5, 1: -1})
    assert maps["counts"][0] == 0


def test_a_full_map_says_what_helps(maps: Any) -> None:
    with pytest.raises(KernelError, match="E2BIG") as refused:
        maps["flows"].update({(n, n): (n, (n, n), (n,)) for n in range(9)})
    assert "write to the map flows" in str(refused.value)
    assert "full, with 4 entries" in refused.value.remedy
    assert "__uint(max_entries, 8)" in refused.value.remedy
    assert "of 9 entries were written" in refused.value.remedy
    assert len(maps["flows"]) == 4


def test_constants_can_not_be_written_to(maps: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"\.rodata can't be written to: it is frozen"):
        maps[".rodata"][0] = (3,)


@pytest.mark.privilege  # the broker makes no such maps
@pytest.mark.parametrize(("flag", "done"), [("RDONLY", "written to"), ("WRONLY", "read")])
def test_a_map_that_its_source_closes_to_python_says_so(lab: Lab, flag: str, done: str) -> None:
    source = f"""{HEAD}
struct {{ __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32);
         __type(value, __u32); __uint(map_flags, BPF_F_{flag}); }} shut SEC(".maps");
SEC("xdp") int pass(struct xdp_md *context) {{ return XDP_PASS; }}
"""
    with Program(compiled(source), lab.port) as program:
        shut = program.maps["shut"]
        with pytest.raises(ConfigurationError, match=rf"shut can't be {done}: .* BPF_F_{flag}"):
            shut.update({1: 1}) if done != "read" else shut[1]


def test_any_other_value_is_refused_in_words(maps: Any) -> None:
    for name in ("counts", "flows", "labels", "recent", "small", "words", "routes", "untyped"):
        one = maps[name]
        good = next(iter(one), None)
        for make in WILD.values():
            for call in (
                lambda: one[make()],  # noqa: B023
                lambda: one.__setitem__(make(), make()),  # noqa: B023
                lambda: good is not None and one.__setitem__(good, make()),  # noqa: B023
                lambda: one.to_numpy(per_cpu=make()),  # noqa: B023
            ):
                try:
                    call()
                except XdplabError as error:
                    assert str(error)


def test_a_map_is_a_table_for_people_and_for_pandas(maps: Any) -> None:
    pytest.importorskip("pandas")
    flows = maps["flows"]
    flows[(5, 80)] = (3, (64, 1500), (1,))
    headings = ["key.address", "key.port", "value.packets", "value.sizes", "value.flags.last"]
    assert str(flows).splitlines()[1].split() == headings
    assert str(flows).splitlines()[2].split() == ["5", "80", "3", "[64,", "1500]", "1"]
    frame = flows.to_frame()
    assert list(frame.columns) == headings
    assert frame["value.packets"].sum() == 3
    assert frame["key.address"].sum() == 5
    assert list(maps["labels"].to_frame()["value.text"]) == [b"", b""]
    assert list(maps["counts"].to_frame()["value"]) == [0, 0, 0, 0]
    assert len(str(maps["many"]).splitlines()) < 100
    assert "9,940 rows" in str(maps["many"])
    assert "<table" in maps["many"]._repr_html_()
    assert repr(flows) == "<Map flows: hash, 4 entries, 8 + 24 bytes>"


def test_a_closed_program_has_no_maps(lab: Lab) -> None:
    with Program(compiled(SOURCE), lab.port) as program:
        counts = program.maps["counts"]
    with pytest.raises(ClosedError, match="counts was closed"):
        counts[0]
    with pytest.raises(ClosedError, match="counts was closed"):
        counts.update({0: 1})
    assert "closed" in str(counts)


@pytest.mark.privilege  # in the suites of other backends there are no pages
def test_the_page_about_maps_can_be_typed(
    privileged: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    page = (SOURCE_TREE / "docs" / "programs.md").read_text()
    section = page[page.index("## Maps") :]
    sources, codes = (
        re.findall(f"```{language}\n(.*?)```", section, re.DOTALL) for language in ("c", "py")
    )
    monkeypatch.chdir(tmp_path)
    for name, source, code in zip(("flows.o", "events.o"), sources, codes, strict=False):
        Path(name).write_bytes(compiled(source))
        exec(code, {})
    said = capsys.readouterr().out
    assert re.search(r"^key +value.packets +value.longest$", said, re.MULTILINE)
    assert f"(2, {possible_cpus()})" in said
    assert len(re.findall(r"^\d+ 98$", said, re.MULTILINE)) >= 3  # pings


@pytest.mark.privilege  # a filter would reach the broker's client alone
@pytest.mark.parametrize("kernel", [WITH_BATCHES, WITHOUT_BATCHES])
def test_a_kernel_without_batches_reads_and_writes_the_same(maps: Any, kernel: str) -> None:
    got: list[tuple[Any, ...]] = []

    def work() -> None:
        if kernel == WITHOUT_BATCHES:
            for command in (_LOOKUP_BATCH, _UPDATE_BATCH):
                refuse(BPF, errno.EINVAL, (0, command))
        got.append(values_by_batch(maps))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    two = [{0: 10, 1: 11}, 2]
    counts, three = [{0: 10, 1: 11, 2: 0, 3: 0}, 4], [{0: 10, 1: 11, 2: 0}, 3]
    assert got == [(*counts, *two, *three, *two, [1, 2], 0, 0)]
