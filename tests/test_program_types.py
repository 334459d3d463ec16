"""numpy dtypes of a program's types, held against the compiler's own layout."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.objects import COUNTING, HEAD, compiled

from xdplab import ConfigurationError
from xdplab.programs import btf
from xdplab.programs.btf import Types
from xdplab.programs.described import Described
from xdplab.programs.dtypes import Dtypes, Record
from xdplab.programs.elf import ObjectFileError
from xdplab.programs.maps import MapFacts
from xdplab.programs.packing import pack, unpack

NUMBERS = {
    "__u8": "u1", "__u16": "<u2", "__u32": "<u4", "__u64": "<u8", "__s8": "i1", "__s16": "<i2",
    "__s32": "<i4", "__s64": "<i8", "_Bool": "?", "char": "i1", "enum plain": "<u4",
    "enum negative": "<i4", "__be16": ">u2", "__be32": ">u4", "void *": "<u8",
    "alias_t": "<u4", "const volatile __u64": "<u8", "unsigned __int128": "V16",
    "union some": "V8",
}  # fmt: skip
BEGIN = f"""{HEAD}
enum plain {{ A, B }};
enum negative {{ C = -1, D }};
union some {{ __u8 a; __u32 b[2]; }};
typedef __u32 alias_t;
"""


class Part(NamedTuple):
    """A member of a struct: as C declares it, and what is known of it."""

    kind: str
    """A type's name, "struct", "unnamed" or "bits"."""
    lengths: tuple[int, ...] = ()
    parts: tuple[Any, ...] = ()
    width: int = 0


def members(depth: int) -> st.SearchStrategy[Part]:
    lengths = st.lists(st.integers(1, 3), max_size=2).map(tuple)
    plain = st.tuples(st.sampled_from(list(NUMBERS)), lengths).map(lambda of: Part(*of))
    bits = st.builds(lambda width: Part("bits", (), (), width), st.integers(1, 31))
    if not depth:
        return st.one_of(plain, plain, bits)
    inner = st.lists(members(depth - 1), min_size=1, max_size=3).map(tuple)
    nested = st.builds(lambda parts, lengths: Part("struct", lengths, parts), inner, lengths)
    unnamed = st.builds(lambda parts: Part("unnamed", (), parts), inner)
    return st.one_of(plain, plain, bits, nested, unnamed)


STRUCTS = st.lists(members(2), min_size=1, max_size=5)


def declare(parts: Any, names: Iterator[str], packed: bool) -> tuple[str, dict[str, Part]]:
    """Write a struct's body in C; return it, and its members by name, without bit fields."""
    lines, found = [], {}
    attribute = " __attribute__((packed))" if packed else ""
    for part in parts:
        name = next(names)
        lengths = "".join(f"[{length}]" for length in part.lengths)
        if part.kind == "bits":
            lines.append(f"__u32 {name} : {part.width};")
            continue
        if part.kind in ("struct", "unnamed"):
            body, inner = declare(part.parts, names, packed)
            of = f"{name}{lengths}" if part.kind == "struct" else ""
            lines.append(f"struct {{ {body} }}{attribute} {of};")
            if part.kind == "unnamed":
                found |= inner
                continue
            first = "".join("[0]" for _ in part.lengths)
            found |= {f"{name}{first}.{path}": each for path, each in inner.items()}
        else:
            lines.append(f"{part.kind} {name}{lengths};")
        found[name] = part
    return " ".join(lines), found


def place(dtype: np.dtype[Any], path: str) -> tuple[np.dtype[Any], int]:
    """Find a member by its path in C; return its dtype and offset."""
    offset = 0
    for name in path.replace("[0]", "").split("."):
        dtype = dtype.subdtype[0] if dtype.subdtype else dtype
        assert dtype.fields is not None
        dtype, more = dtype.fields[name][:2]
        offset += more
    return dtype, offset


def expected(part: Part) -> np.dtype[Any]:
    *outer, last = part.lengths or (0,)
    if part.kind == "char" and part.lengths:
        return np.dtype((f"S{last}", tuple(outer))) if outer else np.dtype(f"S{last}")
    base = np.dtype(NUMBERS[part.kind])
    return np.dtype((base, part.lengths)) if part.lengths else base


@settings(
    max_examples=40, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(STRUCTS, st.booleans(), st.randoms(use_true_random=False))
def test_each_member_is_where_the_compiler_put_it(parts: Any, packed: bool, chance: Any) -> None:
    body, found = declare(parts, (f"m{n}" for n in itertools.count()), packed)
    attribute = " __attribute__((packed))" if packed else ""
    places = ", ".join(f"__builtin_offsetof(struct tried, {path})" for path in found)
    source = f"""{BEGIN}
struct tried {{ {body} }}{attribute};
struct {{ __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32);
         __type(value, struct tried); }} one SEC(".maps");
const volatile __u64 places[] = {{ sizeof(struct tried), {places} }};
SEC("xdp") int pass(struct xdp_md *context) {{ return places[0]; }}
"""
    data = compiled(source)
    described = Described(data)
    known = read_constant(described, "places")
    size, offsets = known[0], known[1:]
    _key, dtype = described.dtypes(MapFacts("one", 2, 4, size, 1))
    assert dtype.itemsize == size
    assert found == {} or issubclass(dtype.type, Record)
    for (path, part), offset in zip(found.items(), offsets, strict=True):
        dtype_, there = place(dtype, path)
        assert there == offset, path
        if part.kind != "struct":
            assert dtype_ == expected(part), path
    # Every value that a map can have is packed into the same bytes again.
    held = bytes(chance.randrange(256) for _ in range(size))
    value = unpack(dtype, held)
    assert pack(dtype, value, "value") == held


def read_constant(described: Described, name: str) -> Any:
    section = described._elf.section(".rodata")
    assert section is not None
    facts = MapFacts(".rodata", 2, 4, section.size, 1)
    where = described.variables({".rodata": facts})[name]
    data = section.data[where.offset : where.offset + where.dtype.itemsize]
    return [int(each) for each in np.atleast_1d(unpack(where.dtype, data))]


def test_bit_fields_and_unions_are_bytes() -> None:
    source = f"""{HEAD}
struct mixed {{ __u8 first; __u32 low : 3, high : 9; __u16 next;
	union {{ __u8 a; __u64 b; }}; union {{ __u16 c; }} named; __u8 rest[]; }};
struct mixed *kept __attribute__((unused));
SEC("xdp") int pass(struct xdp_md *context) {{ return XDP_PASS; }}
"""
    dtype = Described(compiled(source)).named("struct mixed")
    fields = {name: (str(field[0]), field[1]) for name, field in (dtype.fields or {}).items()}
    assert fields["first"] == ("uint8", 0)
    assert fields["bits_1"] == ("|V2", 1)
    assert fields["next"] == ("uint16", 4)
    assert fields["union_8"] == ("|V8", 8)
    assert fields["named"] == ("|V2", 16)
    assert "rest" not in fields


def test_a_type_is_found_by_the_name_that_c_has_for_it() -> None:
    source = f"""{HEAD}
struct event {{ __u32 kind; }};
typedef struct event event_t;
struct event *kept __attribute__((unused));
event_t *also __attribute__((unused));
SEC("xdp") int pass(struct xdp_md *context) {{ return XDP_PASS; }}
"""
    described = Described(compiled(source))
    assert described.named("struct event") == described.named("event_t")
    for name in ("event", "struct events", "union event", "", "struct"):
        with pytest.raises(ConfigurationError, match=r"type=.*__attribute__\(\(unused\)\)"):
            described.named(name)


@pytest.mark.parametrize(
    ("dtype", "value", "same"),
    [
        ("<u4", np.int64(7), 7),
        (">u4", np.array(7), 7),
        ("?", np.bool_(True), True),
        ("<f8", 2, 2.0),
        ("S4", "ab", b"ab"),
        ("V2", b"\x00\x00", b"\x00\x00"),
    ],
)
def test_a_value_comes_back(dtype: str, value: object, same: object) -> None:
    read = unpack(np.dtype(dtype), pack(np.dtype(dtype), value, "value"))
    assert (read, type(read)) == (same, type(same))


# BTF that no compiler writes: the numbers of types count from 1.


def types_of(*types: tuple[int, int, int, bytes]) -> Types:
    """Write types: kind, members, size or type, and what follows."""
    strings = b"\0x\0"
    section = b"".join(
        struct.pack("<III", 1, kind << 24 | members, size) + follows
        for kind, members, size, follows in types
    )
    sizes = (0, len(section), len(section), len(strings))
    return Types(struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, *sizes) + section + strings)


def member(number: int, bits: int = 0) -> bytes:
    return struct.pack("<III", 1, number, bits)


def array(number: int, length: int) -> bytes:
    return struct.pack("<III", number, number, length)


INTEGER = (btf.INTEGER, 0, 4, struct.pack("<I", 32))
HOSTILE = {
    "a struct within itself": (1, [(btf.STRUCT, 1, 8, member(1))]),
    "two structs within each other": (
        1,
        [(btf.STRUCT, 1, 8, member(2)), (btf.STRUCT, 1, 8, member(1))],
    ),
    "an array of itself": (1, [(btf.ARRAY, 0, 0, array(1, 1))]),
    "a typedef of itself": (1, [(btf.TYPEDEF, 0, 1, b"")]),
    "a huge array": (2, [INTEGER, (btf.ARRAY, 0, 0, array(1, 2**32 - 1))]),
    "huge arrays of arrays": (
        9,
        [INTEGER, *((btf.ARRAY, 0, 0, array(n, 2**16)) for n in range(1, 9))],
    ),
    "a huge struct": (2, [INTEGER, (btf.STRUCT, 1, 2**32 - 1, member(1))]),
    "a member outside": (2, [INTEGER, (btf.STRUCT, 1, 4, member(1, 8))]),
    "a member within a byte": (2, [INTEGER, (btf.STRUCT, 1, 8, member(1, 3))]),
    "a member of no type": (1, [(btf.STRUCT, 1, 8, member(99))]),
    "too many members": (2, [INTEGER, (btf.STRUCT, 65535, 8, member(1) * 65535)]),
    # Each has two of the next: 2 ** 30 members.
    "a tree": (
        1,
        [
            *((btf.STRUCT, 2, 4, member(n + 2) + member(n + 2)) for n in range(30)),
            INTEGER,
        ],
    ),
    "a long chain": (
        1,
        [*((btf.STRUCT, 1, 4, member(n + 2)) for n in range(10_000)), INTEGER],
    ),
    "a huge integer": (1, [(btf.INTEGER, 0, 2**31, struct.pack("<I", 32))]),
    "nothing": (0, []),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_types_are_refused_soon(what: str) -> None:
    number, types = HOSTILE[what]
    begun = time.process_time()
    with pytest.raises(ObjectFileError):
        Dtypes(types_of(*types)).of(number)
    assert time.process_time() - begun < 10  # of the processor's own time; it takes milliseconds


@settings(
    max_examples=200, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(st.data())
def test_a_damaged_object_is_described_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(compiled(COUNTING))
    for _ in range(data.draw(st.integers(1, 8))):
        where = data.draw(st.integers(0, len(damaged) - 1))
        damaged[where] = data.draw(st.integers(0, 255))
    maps = {name: MapFacts(name, 2, 4, 8, 1) for name in ("counts", ".rodata", ".bss")}
    try:
        described = Described(bytes(damaged))
        for facts in maps.values():
            assert described.dtypes(facts)[1].itemsize == 8
        described.variables(maps)
        described.with_constants({"place": 3})
    except ConfigurationError as error:
        assert str(error)
