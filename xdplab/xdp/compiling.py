"""Compiles XDP programs in C for the BPF machine, with clang."""

from __future__ import annotations

import re
import shutil
import sysconfig
import tempfile
from pathlib import Path

from xdplab.core.compiler import compile_in
from xdplab.core.errors import CompileError, ConfigurationError
from xdplab.core.source_lines import SourceLine
from xdplab.refusals.verifier_hints import hint_for
from xdplab.xdp.gallery import headers_folder
from xdplab.xdp.kernel_types import NAME, kernel_types

_FLAGS = (
    *("-target", "bpf", "-std=gnu11", "-O2", "-g", "-Wall", "-fdiagnostics-color=never"),
    *("-Werror=implicit-function-declaration", "-Werror=int-conversion", "-Werror=return-type"),
)
_KERNEL_TYPES = re.compile(rf'^\s*#\s*include\s*["<]{re.escape(NAME)}[">]', re.MULTILINE)
_ERROR = re.compile(r"^(.+?):(\d+):\d+: (?:fatal )?error: ", re.MULTILINE)
_MISSING = re.compile(r"fatal error: '(\S+)' file not found")
# Which Debian package has a header, by the header's folder.
_PACKAGES = {"bpf/": "libbpf-dev", "linux/": "linux-libc-dev", "asm/": "linux-libc-dev"}


def compile_file(path: Path) -> tuple[bytes, str]:
    """Compile a file of C.

    Returns
    -------
    tuple
        The object file, and the compiler's warnings.

    Raises
    ------
    CompileError
        When it does not compile.
    ConfigurationError
        When clang is missing.
    """
    source = path.read_text(errors="replace")
    with tempfile.TemporaryDirectory(prefix="xdplab-") as folder:
        made = Path(folder, "program.o")
        # In the file's folder, whose headers it may include.
        return _compile(source, path.resolve().parent, path.name, made)


def compile_text(source: str, file: str) -> tuple[bytes, str]:
    """Compile C that is in no file; `file` names it. The rest is as of `compile_file`."""
    with tempfile.TemporaryDirectory(prefix="xdplab-") as folder:
        Path(folder, file).write_text(source)
        return _compile(source, Path(folder), file, Path(folder, "program.o"))


def _compile(source: str, folder: Path, file: str, made: Path) -> tuple[bytes, str]:
    clang = shutil.which("clang")
    if clang is None:
        raise ConfigurationError(
            "a program in C takes a compiler for BPF, and there is none (clang): "
            "`sudo apt-get install clang libbpf-dev`."
        )
    command = [clang, *_FLAGS, "-I", headers_folder()]
    # clang's BPF target ignores the folder with the headers of this machine.
    if machine := sysconfig.get_config_var("MULTIARCH"):
        command += ["-idirafter", f"/usr/include/{machine}"]
    if _KERNEL_TYPES.search(source):
        command += ["-isystem", str(kernel_types(made.parent))]
    done = compile_in(folder, [*command, "-c", f"./{file}", "-o", str(made)])
    said = done.said.replace(f"./{file}", file)
    if done.failed:
        words = f"{file} does not compile. {clang} said:\n{said}"
        raise CompileError(f"{words}{_remedy(said)}", said, _where(said, source, file))
    return made.read_bytes(), said


def _where(said: str, source: str, file: str) -> SourceLine | None:
    """Find the line of the first error, which may be in a header."""
    found = _ERROR.search(said)
    if found is None:
        return None
    number, lines = int(found[2]), source.split("\n")
    own = found[1] == file and 0 < number <= len(lines)
    return SourceLine(Path(found[1]).name, number, lines[number - 1] if own else "")


def _remedy(said: str) -> str:
    missing = _MISSING.search(said)
    for folder, package in _PACKAGES.items():
        if missing and missing[1].startswith(folder):
            return f"\n`sudo apt-get install {package}` brings {missing[1]}."
    hint = hint_for(said)  # clang knows how large the stack is, too
    return f"\n{hint}" if hint else ""
