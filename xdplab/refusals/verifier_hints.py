"""What usually helps against a refusal of the kernel's verifier, by the verifier's words.

The words are of kernel/bpf/verifier.c, Linux 5.15 to 6.18; each row is tested by a program that
earns it (tests/test_verifier_hints.py). The first row that fits counts.
"""

from __future__ import annotations

import re

HINTS: tuple[tuple[str, str], ...] = (
    (
        r"invalid access to packet|offset is outside of the packet",
        "Compare with data_end before each access, in the same variable that is then read: "
        "`if (data + sizeof(*header) > data_end) return XDP_PASS;`. A check counts for the "
        "pointer that was compared, and for as many bytes.",
    ),
    (
        r"unbounded m(emory access|in value)|invalid access to map value|"
        r"outside of the allowed memory range",
        "The verifier must see that an index or a length has bounds: compare it first, "
        "`if (index >= SIZE) return XDP_PASS;`, or mask it, `index & (SIZE - 1)`. Of a packet, "
        "compare the sum with data_end, too.",
    ),
    (
        r"infinite loop detected|back-edge from insn",
        "The verifier must see that a loop ends: give it a constant number of rounds, "
        "`for (int i = 0; i < 16; i++)`, and leave it early by `break`.",
    ),
    (
        # Within the 512 bytes that there are.
        r"invalid (indirect )?read from stack .*off[ =]-"
        r"(\d{1,2}|[1-4]\d\d|50\d|51[0-2])(\+\d+)? size",
        "Without CAP_PERFMON, as through a broker, no byte of the stack is read that may not have "
        "been set: give all of a variable a value where it is declared, `struct key key = {};`, "
        "padding included.",
    ),
    (
        r"combined stack size|invalid (write to|read from|indirect \w+ \w+|unbounded .*) stack|"
        r"invalid stack|stack limit of 512 bytes is exceeded",
        "A program and the functions that it calls have 512 bytes of stack together: keep larger "
        "data in a map, such as a BPF_MAP_TYPE_PERCPU_ARRAY with one entry.",
    ),
    (
        r"R\d+ !read_ok",
        "A register is read before it has a value: give each variable one where it is declared, "
        "and end each way through the program by `return`, with a verdict.",
    ),
    (
        r"invalid mem access '\w+_or_null'|R\d+ pointer arithmetic on \w+_or_null",
        "A lookup returns NULL where there is no such entry: "
        "`if (!value) return XDP_PASS;`, before the value is used.",
    ),
    (
        r"prohibited for !root",
        "Without CAP_PERFMON, as through a broker, a pointer into a packet takes constants alone; "
        "one into the stack or into a map's value takes a number with bounds, too.",
    ),
    (
        r"pointer arithmetic|math between \w+ pointer|pointer operation|on pointer prohibited|"
        r"pointer comparison prohibited|pointer [-+*/|&^]= pointer|leaks addr|"
        r"subtraction from stack pointer",
        "With pointers only + and - with a number are allowed, to a pointer that stays where it "
        "belongs; compare the pointers themselves, in place of their difference. To subtract one "
        "from another, or to store one, takes CAP_PERFMON.",
    ),
    (
        r"cannot use helper|unknown func|helper call is not allowed|not allowed for the program",
        "XDP programs may not call this function, or not on this kernel, or not without "
        "CAP_PERFMON. bpf-helpers(7) tells what each does, and `sudo bpftool feature probe` which "
        "ones this kernel gives to XDP.",
    ),
    (
        r"program is too large|sequence of \d+ jumps is too complex|too many (subprogs|states)",
        "The verifier follows each way through a program, up to a million instructions: make loops "
        "shorter, and do what is common to several branches once, after them.",
    ),
    (
        r"GPL-restricted function|GPL.compatible",
        "The function is for programs under the GPL: "
        '`char LICENSE[] SEC("license") = "GPL";`.',
    ),
    (
        r"misaligned (\w+ )?access",
        "On the stack a value must lie at a multiple of its size: declare it as a variable of its "
        "own type, not as bytes in an array or as a member of a packed struct. Copy with "
        "__builtin_memcpy.",
    ),
    (
        r"invalid bpf_context access",
        "Of struct xdp_md a program reads data, data_end, data_meta, ingress_ifindex and "
        "rx_queue_index, each as a whole; it writes none.",
    ),
    (
        r"invalid mem access '(inv|scalar)'",
        "The verifier takes this for a number, not for a pointer. Keep pointers in variables of a "
        "pointer's type, set in each branch.",
    ),
)  # fmt: skip
"""A pattern of the verifier's words, and the hint."""


def hint_for(reason: str) -> str:
    """Return what helps; empty where that is not known."""
    return next((hint for pattern, hint in HINTS if re.search(pattern, reason)), "")
