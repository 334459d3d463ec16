"""What went wrong with a virtual machine."""

from __future__ import annotations


class VirtualMachineError(Exception):
    """A kernel or QEMU that can't be had, or a guest that does not end."""


class BootError(VirtualMachineError):
    """A guest that does not get to the command: some of its boots hang, whatever the command."""
