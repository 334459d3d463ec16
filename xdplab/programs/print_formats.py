"""The formats of a program's bpf_printk, by which its lines are told from those of others."""

from __future__ import annotations

import re

from xdplab.programs.elf import ElfObject
from xdplab.programs.spec import CONSTANTS

# libbpf's macro keeps each format in a constant of this name, bpf/bpf_helpers.h.
_NAME = re.compile(r"(.*\.)?____?fmt(\.\d+)?")
# What bpf_trace_printk takes, bpf_bprintf_prepare in kernel/bpf/helpers.c, Linux 6.18.
_CONVERSION = re.compile(
    rb"%(?:(%)|[0 +#-]*\d*(?:(l{0,2}[diuxX])|(c)|(s|p(?:[ku]s|[iI][46]|\w?))))"
)
_WHOLE_NUMBER = rb" *[-+]?(?:0[xX])?[0-9a-fA-F]+ *"


def print_formats(data: bytes) -> list[re.Pattern[bytes]]:
    """Return a pattern for each format of an object file, which a line of it matches as a whole.

    A format that is not a constant, as of bpf_trace_printk itself, is not found.
    """
    elf = ElfObject(data)
    found = set()
    for symbol in elf.symbols:
        if not _NAME.fullmatch(symbol.name) or symbol.section >= len(elf.sections):
            continue
        section = elf.sections[symbol.section]
        if section.name.startswith(CONSTANTS):
            kept = section.data[symbol.value : symbol.value + symbol.size]
            found.add(kept.partition(b"\0")[0])
    return [_pattern(each) for each in sorted(found) if each]


def _pattern(text: bytes) -> re.Pattern[bytes]:
    # The kernel ends each line by itself; one that the format ends, too, is an empty one more.
    parts, end, text = [], 0, text.rstrip(b"\n")
    for each in _CONVERSION.finditer(text):
        parts.append(re.escape(text[end : each.start()]))
        percent, number, character, _other = each.groups()
        parts.append(b"%" if percent else _WHOLE_NUMBER if number else b"." if character else b".*")
        end = each.end()
    parts.append(re.escape(text[end:]))
    return re.compile(b"".join(parts), re.DOTALL)
