"""Objects of XDP programs: their sources, the compiler, and reading their maps."""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HEAD = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
"""
COUNTER = """
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, __u32);
         __type(value, __u64); } counts SEC(".maps");
"""
COUNTING = f"""{HEAD}{COUNTER}
const volatile __u32 place = 2;
static __u64 seen;
SEC("xdp") int count(struct xdp_md *context)
{{
	__u32 key = place;
	__u64 *counted = bpf_map_lookup_elem(&counts, &key);
	if (counted)
		*counted += ++seen;
	return XDP_DROP;
}}
"""


@functools.cache
def compiled(source: str) -> bytes:
    """Compile a program with clang."""
    clang = shutil.which("clang") or "clang"
    machine = subprocess.run(["cc", "-print-multiarch"], capture_output=True, text=True, check=True)
    headers = f"/usr/include/{machine.stdout.strip()}"
    with tempfile.TemporaryDirectory() as folder:
        program, made = Path(folder, "program.c"), Path(folder, "program.o")
        program.write_text(source)
        command = [clang, "-target", "bpf", "-O2", "-g", "-idirafter", headers]
        subprocess.run([*command, "-c", program, "-o", made], check=True)
        return made.read_bytes()


def sealed(data: bytes) -> int:
    """Put an object into a memfd that can't be changed any more, and return its descriptor."""
    memory = os.memfd_create("object", os.MFD_ALLOW_SEALING)
    os.write(memory, data)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    return memory


def read_counter(map_: int, key: int) -> int:
    """Read a map's value of 8 bytes, by the map's descriptor."""

    class Element(ctypes.Structure):  # union bpf_attr, of BPF_MAP_*_ELEM
        _fields_ = (("map", ctypes.c_uint64), ("key", ctypes.c_uint64),
                    ("value", ctypes.c_uint64), ("flags", ctypes.c_uint64))  # fmt: skip

    number, value = ctypes.c_uint32(key), ctypes.c_uint64()
    request = Element(map_, ctypes.addressof(number), ctypes.addressof(value), 0)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(321, 1, ctypes.byref(request), ctypes.sizeof(request)) == 0
    return value.value
