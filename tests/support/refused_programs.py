"""XDP programs that the kernel's verifier refuses: for each hint at least one that earns it."""

from __future__ import annotations

from typing import NamedTuple

from support.objects import HEAD

MAP = """
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32);
         __type(value, __u64); } flows SEC(".maps");
"""
_PROGRAM = """SEC("xdp") int program(struct xdp_md *context)
{{
	void *data = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	__u32 key = 0;

	(void)data, (void)end, (void)key;
	{lookup}{body}
}}
"""
_FUNCTION = """
#define WHOLE(array) asm volatile("" : : "r"(array) : "memory")
static __attribute__((noinline)) int deep(volatile char *above)
{
	volatile char bytes[400];

	WHOLE(bytes);
	bytes[0] = above[0];
	return bytes[0];
}
"""
_LOOKUP = "__u64 *value = bpf_map_lookup_elem(&flows, &key);\n\t"


class Refused(NamedTuple):
    """A body of a program, on one line."""

    body: str
    hint: str
    """A part of the hint that it earns."""
    license: str = "GPL"
    has_line: bool = True
    """Whether it is a line that is refused, and not the program as a whole."""
    through_broker: str = ""
    """The same where the loader has no CAP_PERFMON, if it is another."""

    @property
    def source(self) -> str:
        """The whole source, with a function that is not inlined."""
        lookup = _LOOKUP if "value" in self.body else ""
        program = _PROGRAM.format(lookup=lookup, body=self.body)
        return HEAD.replace("GPL", self.license) + MAP + _FUNCTION + program


BOUNDS, INDEX, LOOP = "data_end before each access", "an index or a length", "that a loop ends"
STACK, REGISTER, NULL = "512 bytes of stack", "before it has a value", "lookup returns NULL"
POINTER, HELPER, LARGE = "With pointers only", "may not call this", "up to a million instructions"
LICENSE, ALIGNED = "programs under the GPL", "at a multiple of its size"
CONTEXT, NUMBER = "Of struct xdp_md", "for a number, not for a pointer"
CONSTANTS, UNSET = "takes constants alone", "that may not have been set"

_SUM = "volatile __u64 sum = 0; for (int i = 0; i < {}; i++) {}; return XDP_PASS;"
REFUSED = {
    "reads the packet without a check": Refused("return *(char *)data;", BOUNDS),
    "checks another pointer": Refused(
        "if (data + 1 > end) return 1; return ((char *)data)[context->rx_queue_index];",
        BOUNDS,
        through_broker=CONSTANTS,
    ),
    "reads past a map's value": Refused("return value ? value[1] : 0;", INDEX),
    "has an index without bounds": Refused(
        "return value ? ((char *)value)[context->rx_queue_index] : 0;", INDEX
    ),
    "never ends": Refused("volatile __u32 on = 1; while (on) {} return XDP_PASS;", LOOP),
    "writes below its stack": Refused(
        'asm volatile("*(u64 *)(r10 - 520) = %0" :: "r"(data)); return XDP_PASS;', STACK
    ),
    "calls a function that needs too much stack beside its own": Refused(
        "volatile char own[300]; WHOLE(own); own[0] = 1; return deep(own) + own[0];",
        STACK,
        has_line=False,
    ),
    "returns what has no value": Refused("int verdict; return verdict;", REGISTER),
    "uses an entry that may not be there": Refused("return *value;", NULL),
    "reads what was not set": Refused(
        "volatile __u64 unset; key = unset; return *value;", NULL, through_broker=UNSET
    ),
    "counts from an entry that may not be there": Refused("return value[3];", NULL),
    "multiplies a pointer": Refused("return (long)data * 2;", POINTER),
    "rounds a pointer": Refused("return *(char *)((long)data & -16L);", POINTER),
    "calls what packets of the stack need": Refused(
        "return bpf_skb_load_bytes(context, 0, &key, 4);", HELPER
    ),
    "counts to a million": Refused(_SUM.format("1000000", "sum += i"), LARGE),
    "has too many branches": Refused(
        _SUM.format("20000", "if (bpf_get_prandom_u32() & 1) sum += i"), LARGE
    ),
    "calls what takes the GPL": Refused(
        "struct bpf_fib_lookup l = {}; return bpf_fib_lookup(context, &l, sizeof(l), 0);",
        *(LICENSE, "MIT"),
    ),
    "writes across the stack's words": Refused(
        "char bytes[16] = {}, *at = bytes + 1; asm volatile(\"\" : \"+r\"(at)); "
        "*(volatile __u64 *)at = 1; return bytes[3];",
        ALIGNED,
    ),
    "reads what is not in the context": Refused(
        "return *(volatile char *)((char *)context + 40);", CONTEXT
    ),
    "takes a number for a pointer": Refused("return *(char *)(long)bpf_get_prandom_u32();", NUMBER),
}  # fmt: skip
