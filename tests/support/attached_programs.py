"""What the kernel tells of the links and maps of an XDP program that another holds."""

from __future__ import annotations

import ctypes
import os

_XSKMAP = 17  # linux/bpf.h
LIBBPF = ctypes.CDLL("libbpf.so.1")


def information(descriptor: int) -> bytes:
    """Read what the kernel tells of a map or link."""
    info, length = ctypes.create_string_buffer(512), ctypes.c_uint32(512)
    assert not LIBBPF.bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(length))
    return info.raw


def link_of(program: int) -> int:
    """Open the link by which a program is attached, as bpftool does by its number."""
    number = ctypes.c_uint32(0)
    while not LIBBPF.bpf_link_get_next_id(number, ctypes.byref(number)):
        descriptor = int(LIBBPF.bpf_link_get_fd_by_id(number))
        if descriptor < 0:
            continue
        if int.from_bytes(information(descriptor)[8:12], "little") == program:
            return descriptor
        os.close(descriptor)
    raise LookupError(program)


def socket_map_of(program: int) -> int:
    """Open the XSKMAP of a program, likewise."""
    descriptor = LIBBPF.bpf_prog_get_fd_by_id(program)
    numbers = (ctypes.c_uint32 * 8)()
    info, length = (ctypes.c_uint64 * 32)(), ctypes.c_uint32(256)
    info[6] = 8 << 32  # nr_map_ids of struct bpf_prog_info,
    info[7] = ctypes.addressof(numbers)  # and map_ids
    assert not LIBBPF.bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(length))
    os.close(descriptor)
    for number in filter(None, numbers):
        each = int(LIBBPF.bpf_map_get_fd_by_id(number))
        if int.from_bytes(information(each)[:4], "little") == _XSKMAP:
            return each
        os.close(each)
    raise LookupError(program)
