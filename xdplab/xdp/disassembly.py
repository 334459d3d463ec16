"""A program's instructions beside the lines of its source."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from xdplab.core.compiler import compile_in
from xdplab.core.errors import ConfigurationError
from xdplab.core.source_lines import SourceLine
from xdplab.core.table import Row, Table, Tabled
from xdplab.core.text import counted
from xdplab.programs.elf import ElfObject
from xdplab.programs.functions import INSTRUCTION, Linked
from xdplab.programs.lines import Lines

_TOOL = "llvm-objdump"
_SECTION = re.compile(r"^Disassembly of section (\S+):$")
_INSTRUCTION = re.compile(r"^\s*(\d+):\s+(.+)$")
_REFERENCE = re.compile(r"^\s+[0-9a-f]+:\s+R_BPF_64_\w+\s+(\S+)$")
_HEADINGS = ("", "instruction", "line", "source")


class Instruction(NamedTuple):
    """An instruction of a program."""

    number: int
    """As the verifier counts them, from 0."""
    text: str
    where: SourceLine | None
    """The line that it comes from: `file`, `line`, `text`."""


class Disassembly(Tabled):
    """A program's instructions, with the lines of its source. `Program.disassemble` makes it.

    Attributes
    ----------
    instructions
        Each has its `number`, as the verifier counts them, its `text`, and in `where` the line of
        the source: `file`, `line` and `text`, or None without ``clang -g``.
    """

    def __init__(self, instructions: list[Instruction]) -> None:
        self.instructions = instructions

    @property
    def text(self) -> str:
        """All of it; the table of a long program leaves out what is in the middle."""
        lines = []
        for number, text, line, source in self._rows():
            lines += [f"; {line}  {source}"] if line else []
            lines.append(f"{number:>6}: {text}")
        return "\n".join(lines)

    def __len__(self) -> int:
        return len(self.instructions)

    def _rows(self) -> Iterator[Row]:
        """Return its rows, with the source where that is another than of the row before."""
        before = None
        for each in self.instructions:
            shown = each.where if each.where != before else None
            before = each.where
            source = (str(shown), shown.text.strip()) if shown else ("", "")
            yield (str(each.number), each.text, *source)

    def _table(self) -> Table:
        title = counted(len(self), "instruction")
        return Table(title, list(self._rows()), _HEADINGS)

    def _brief(self) -> str:
        return f"<Disassembly of {counted(len(self), 'instruction')}>"


def disassemble(data: bytes, name: str) -> Disassembly:
    """Disassemble a program; `data` and `name` are as `programs.spec.parse` takes them.

    Raises
    ------
    ConfigurationError
        Without llvm-objdump.
    """
    linked, lines = Linked(ElfObject(data), name), Lines(data, name)
    read = _read(data)
    found: list[Instruction] = []
    for section, symbol, place in linked.functions:
        first = symbol.value // INSTRUCTION.size
        for number in range(first, first + symbol.size // INSTRUCTION.size):
            # The second half of a constant of 64 bits has none.
            if text := read.get((section.name, number)):
                own = place // INSTRUCTION.size + number - first
                found.append(Instruction(own, text, lines.of(own)))
    return Disassembly(found)


def _read(data: bytes) -> dict[tuple[str, int], str]:
    """Return each instruction's text, by its section and its number there."""
    tool = shutil.which(_TOOL)
    if tool is None:
        raise ConfigurationError(
            f"{_TOOL} disassembles programs, and there is none: `sudo apt-get install llvm`."
        )
    with tempfile.TemporaryDirectory(prefix="xdplab-") as folder:
        Path(folder, "program.o").write_bytes(data)
        done = compile_in(Path(folder), [tool, "-d", "-r", "--no-show-raw-insn", "program.o"])
    if done.failed:
        raise ConfigurationError(f"{tool} can't disassemble the program. It said:\n{done.said}")
    found: dict[tuple[str, int], str] = {}
    section, number = "", -1
    for line in done.said.splitlines():
        if begun := _SECTION.match(line):
            section = begun[1]
        elif refers := _REFERENCE.match(line):
            found[section, number] = f"{found.get((section, number), '')}  ({refers[1]})"
        elif one := _INSTRUCTION.match(line):
            number = int(one[1])
            found[section, number] = one[2].replace("\t", " ")
    return found
