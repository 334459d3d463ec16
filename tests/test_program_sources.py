"""XDP programs made from C: compiled where they are written, with the compiler's words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from support.objects import COUNTER, HEAD

from xdplab import CompileError, ConfigurationError, KernelError, Lab, Program
from xdplab.xdp.kernel_types import kernel_types

pytestmark = pytest.mark.kernel

PASSES = f'{HEAD}SEC("xdp") int passes(struct xdp_md *context) {{ return XDP_PASS; }}\n'
WRONG = PASSES.replace("XDP_PASS", "XDP_PAS")


def test_a_program_is_made_of_a_file_of_c_and_of_c_itself(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "passes.c"
    file.write_text('#include "verdict.h"\n' + PASSES.replace("XDP_PASS", "VERDICT"))
    (tmp_path / "verdict.h").write_text("#define VERDICT XDP_PASS\n")
    for source in (file, str(file), PASSES):
        with Program(source, lab.port) as program, program.attach():
            assert program.said == ""
            assert lab.peer.ping(lab.port.ipv4).received


@pytest.mark.parametrize("from_file", [False, True])
def test_source_that_does_not_compile_is_refused_with_its_line(
    lab: Lab, tmp_path: Path, from_file: bool
) -> None:
    file = tmp_path / "wrong.c"
    file.write_text(WRONG)
    name = file.name if from_file else "program.c"
    number = WRONG.splitlines().index(WRONG.splitlines()[-1]) + 1
    with pytest.raises(CompileError, match=rf"{name} does not compile") as refused:
        Program(file if from_file else WRONG, lab.port)
    assert f"{name}:{number}:" in str(refused.value)
    assert "XDP_PAS" in refused.value.said
    assert refused.value.where == (name, number, WRONG.splitlines()[-1])
    assert str(tmp_path) not in refused.value.said


def test_warnings_are_kept(lab: Lab) -> None:
    with Program(PASSES.replace("{ return", "{ int unused; return"), lab.port) as program:
        assert "unused variable 'unused'" in program.said
        assert "unused variable" in str(program)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bpf_no_such_helper();", "error: .*bpf_no_such_helper"),
        ("volatile char bytes[600]; bytes[context->rx_queue_index] = 1;", "512 bytes of stack"),
    ],
)
def test_what_the_compiler_sees_is_refused_by_it(lab: Lab, line: str, words: str) -> None:
    with pytest.raises(CompileError, match=words):
        Program(PASSES.replace("{ return", f"{{ {line} return"), lab.port)


def test_a_missing_header_has_its_package(lab: Lab) -> None:
    for header, package in (("bpf/none.h", "libbpf-dev"), ("linux/none.h", "linux-libc-dev")):
        with pytest.raises(CompileError, match=f"apt-get install {package}` brings {header}"):
            Program(f"#include <{header}>\n{PASSES}", lab.port)


def test_without_clang_its_package_is_named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match=r"apt-get install clang libbpf-dev"):
        Program(PASSES, lab.port)


def test_the_kernels_types_are_made_once(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = PASSES.replace("#include <linux/bpf.h>", '#include "vmlinux.h"')
    source = source.replace("XDP_PASS;", "sizeof(struct sk_buff) > 100 ? XDP_PASS : XDP_DROP;")
    with Program(source, lab.port) as program, program.attach():
        assert lab.peer.ping(lab.port.ipv4).received
    (made,) = tmp_path.glob("xdplab/*/vmlinux.h")
    before = made.stat()
    with Program(source, lab.port):
        assert made.stat() == before
    assert not stat.S_ISLNK(before.st_mode)


def test_the_kernels_types_are_made_elsewhere_without_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    assert kernel_types(tmp_path) == tmp_path
    assert "struct xdp_md {" in (tmp_path / "vmlinux.h").read_text()


def test_a_source_that_can_not_be_read_is_refused(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"read the source file .*nowhere\.c"):
        Program(tmp_path / "nowhere.c", lab.port)
    (tmp_path / "folder.c").mkdir()
    with pytest.raises(ConfigurationError, match="regular file"):
        Program(tmp_path / "folder.c", lab.port)
    with pytest.raises(ConfigurationError, match="source="):
        Program("int main;\n\0", lab.port)
    (tmp_path / "binary.c").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(CompileError):
        Program(tmp_path / "binary.c", lab.port)


def test_a_program_is_disassembled_beside_its_source(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"""{HEAD}{COUNTER}
static __attribute__((noinline)) int verdict(int key) {{ return key * 3 - 1; }}
SEC("xdp") int counts_some(struct xdp_md *context)
{{
	__u32 key = 1;
	__u64 *counted = bpf_map_lookup_elem(&counts, &key);

	return counted ? verdict(context->rx_queue_index) : XDP_PASS;
}}
"""
    with Program(source, lab.port) as program:
        made = program.disassemble()
        shown = str(made)
        numbers = [each.number for each in made.instructions]
        assert numbers == sorted(set(numbers))
        assert made.instructions[-1].text == "exit"
        assert any("(counts)" in each.text for each in made.instructions)
        lines = source.splitlines()
        for each in made.instructions:
            assert each.where is not None
            assert lines[each.where.line - 1] == each.where.text
        assert "verdict(int key)" in made.instructions[-1].where.text  # type: ignore[union-attr]
        for text in (shown, made.text):
            assert "bpf_map_lookup_elem(&counts, &key);" in text
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(ConfigurationError, match="apt-get install llvm"):
            program.disassemble()


def test_a_simulated_lab_refuses_c_too() -> None:
    with (
        Lab(backend="soft") as lab,
        pytest.raises(ConfigurationError, match=r"simulated.*Lab\(backend='kernel'\)"),
    ):
        Program(PASSES, lab.port)
