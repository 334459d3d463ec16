"""Loads an XDP program of the user's into the kernel, and attaches it: by descriptors.

The broker does this for its clients, and the kernel backend in the user's process.
"""

from __future__ import annotations

from typing import NamedTuple

from xdplab.core.descriptors import close_all
from xdplab.native import ffi, lib
from xdplab.programs.spec import MapSpec, ProgramSpec
from xdplab.refusals.errors import new_error, raise_error
from xdplab.refusals.remedies import NOWHERE, Place

_NAME_BYTES = 15  # that the kernel keeps of a name


class Loaded(NamedTuple):
    """Descriptors of a program and of its maps, which the caller closes."""

    program: int
    maps: list[int]


def load_program(spec: ProgramSpec) -> Loaded:
    """Make the maps, and load the program.

    Raises
    ------
    KernelError
        When the kernel refuses. Nothing half-made is left.
    """
    maps: list[int] = []
    try:
        for one in spec.maps:
            maps.append(_make_map(one))
        return Loaded(_load(spec, maps), maps)
    except BaseException:
        close_all(maps)
        raise


def attach_program(
    program: int, interface_index: int, attach_mode: int, place: Place = NOWHERE
) -> int:
    """Attach a program in the calling thread's network namespace.

    Parameters
    ----------
    program
        Its descriptor.
    interface_index
        Index of the interface.
    attach_mode
        One of ``enum xdplab_attach_mode``.
    place
        Where that is, for the remedy of a refusal.

    Returns
    -------
    int
        Descriptor of the link, which the caller closes.

    Raises
    ------
    KernelError
        When the kernel refuses.
    """
    error = new_error()
    link: int = lib.xdplab_program_attach(program, interface_index, attach_mode, error)
    if link < 0:
        raise_error(error, place)
    return link


def replace_program(link: int, program: int) -> None:
    """Put a program in the place of a link's present one: each packet gets one of the two.

    Raises
    ------
    KernelError
        When the kernel refuses. The present one stays.
    """
    error = new_error()
    if lib.xdplab_link_replace(link, program, error):
        raise_error(error)


def _make_map(one: MapSpec) -> int:
    error = new_error()
    held = [_name(one.name), ffi.new("uint8_t[]", one.initial or b"\0")]
    fields = {**one._asdict(), "name": held[0], "initial": held[1] if one.initial else ffi.NULL}
    descriptor: int = lib.xdplab_map_create(ffi.new("struct xdplab_map *", fields), error)
    if descriptor < 0:
        raise_error(error)
    return descriptor


def _load(spec: ProgramSpec, maps: list[int]) -> int:
    error = new_error()
    count = len(spec.instructions) // 8
    instructions = ffi.new("uint64_t[]", count)
    ffi.memmove(instructions, spec.instructions, len(spec.instructions))
    held = [_name(spec.name), ffi.new("char[]", spec.license.encode("ascii", "replace"))]
    fields = {
        "name": held[0],
        "license": held[1],
        "instructions": instructions,
        "instruction_count": count,
        "flags": spec.flags,
    }
    native = ffi.new("struct xdplab_program *", fields)
    descriptor: int = lib.xdplab_program_load(native, maps, error)
    if descriptor < 0:
        raise_error(error)
    return descriptor


def _name(name: str) -> object:
    return ffi.new("char[]", name.encode("ascii", "replace")[:_NAME_BYTES])
