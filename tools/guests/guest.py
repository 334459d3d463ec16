"""A guest: a kernel under QEMU, in software emulation, with this machine's files and two cards.

The machine's files are the guest's root, read-only below an overlay in memory: what a guest writes
is gone with it. So the checkout and its .venv are at their own places. Nothing of it takes
privilege, or a card, on this machine.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from guests.errors import BootError, VirtualMachineError
from guests.initramfs import write_initramfs
from guests.lists import CARDS, Card
from guests.store import Store

_START = Path(__file__).with_name("start.sh")
_MACS = ("52:54:00:00:00:01", "52:54:00:00:00:02")
_OUTSIDE_MAC = "52:54:00:00:00:03"
_MEMORY = "3G"
_LOOK_EVERY = 0.2  # seconds
_BOOTS_WITHIN = 180.0  # seconds; on a machine with nothing else to do it takes 15 to 30


class Guest(NamedTuple):
    """What a guest is made of."""

    kernel: str
    """A name of `lists.KERNELS`."""
    card: str
    """A name of `lists.CARDS`, of which it has two, joined by a wire; empty for none."""
    port: int = 0
    """A TCP port of this machine's loopback that leads to the guest's port 8888; 0: none."""

    def run(
        self,
        store: Store,
        folder: Path,
        command: str,
        seconds: float,
        boots_within: float = _BOOTS_WITHIN,
    ) -> int:
        """Run a command in the guest, and print what it prints.

        Parameters
        ----------
        store
            QEMU and kernels.
        folder
            The folder that it runs in.
        command
            For bash.
        seconds
            The most that it may take, with start and end of the guest.
        boots_within
            The most seconds until the command begins.

        Returns
        -------
        int
            The command's status.

        Raises
        ------
        BootError
            When the command does not begin in time.
        VirtualMachineError
            When the guest does not end in time, or ends by itself.
        """
        with tempfile.TemporaryDirectory(prefix="xdplab-vm-") as name:
            results = Path(name)
            booted, output, status, console = (
                results / each for each in ("booted", "output", "status", "console")
            )
            output.touch()
            self._prepare(results, folder, command, store)
            arguments = self._arguments(store, results, f"file:{console}")
            machine = subprocess.Popen(
                arguments, env=store.environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            try:
                begun = time.monotonic()
                if _boots(machine, booted, begun + min(boots_within, seconds)):
                    _follow(machine, output, begun + seconds)
            finally:
                machine.kill()
                said = machine.communicate()[1].decode(errors="replace")
            if not status.exists():
                last = console.read_text(errors="replace")[-3000:] if console.exists() else ""
                got = f"end within {seconds:.0f} s" if booted.exists() else "start"
                raise (VirtualMachineError if booted.exists() else BootError)(
                    f"the guest with kernel {self.kernel} and {self.card or 'no card'} did not "
                    f"{got}. {said}Its console ended with:\n{last}"
                )
            return int(status.read_text())

    def shell(self, store: Store, folder: Path) -> None:
        """Open a shell in the guest, on this terminal, until it ends."""
        with tempfile.TemporaryDirectory(prefix="xdplab-vm-") as name:
            results = Path(name)
            self._prepare(results, folder, "", store)
            arguments = self._arguments(store, results, "mon:stdio")
            subprocess.run(arguments, env=store.environment, check=False)

    def _prepare(self, results: Path, folder: Path, command: str, store: Store) -> None:
        """Write what start.sh reads."""
        driver = [CARDS[self.card].driver] if self.card else []
        outside = ["virtio_net"] if self.port else []
        settings = {
            "BUSYBOX": str(store.tools / "bin" / "busybox"),
            "FOLDER": str(folder),
            "COMMAND": command,
            "INTERACTIVE": "" if command else "yes",
            "MODULES": " ".join([*driver, *outside, "veth"]),
        }
        exported = {
            "XDPLAB_VM_CARD": self.card,
            "XDPLAB_VM_KERNEL": self.kernel,
        }
        lines = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in exported.items()]
        (results / "settings").write_text("\n".join(lines) + "\n")
        (results / "start").write_text(_START.read_text())
        welcome = f"Linux $(uname -r), cards: {self.card or 'none'}. Leave with: exit"
        (results / "rc").write_text(
            f"PATH={shlex.quote(str(folder))}/.venv/bin:$PATH\nPS1='guest:\\w# '\n"
            f'stty rows 40 cols 120\necho "{welcome}"\n'
        )

    def _arguments(self, store: Store, results: Path, serial: str) -> list[str]:
        kernel = store.kernel(self.kernel)
        initramfs = results / "initramfs"
        write_initramfs(store, kernel, initramfs)
        data = store.tools / "usr" / "share"
        return [
            *(_with_taps() if self.card and CARDS[self.card].queues > 1 else ()),
            # It ends with this process, however that ends.
            *("setpriv", "--pdeathsig", "KILL", "--"),
            str(store.tools / "usr" / "bin" / "qemu-system-x86_64"),
            *("-L", str(data / "qemu"), "-L", str(data / "seabios")),
            # A /dev/kvm may be there and not work.
            *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"),
            *("-m", _MEMORY, "-nodefaults", "-display", "none", "-no-reboot"),
            *("-serial", serial),
            *("-kernel", str(kernel.image), "-initrd", str(initramfs)),
            *("-append", "console=ttyS0 quiet panic=-1 mitigations=off"),
            *_shared("machine", Path("/"), ",readonly=on,multidevs=remap"),
            *_shared("modules", kernel.modules, ",readonly=on"),
            *_shared("results", results),
            *(_cards(CARDS[self.card]) if self.card else ()),
            *(_outside(self.port) if self.port else ()),
        ]


def _shared(tag: str, folder: Path, options: str = "") -> tuple[str, str]:
    return "-virtfs", f"local,path={folder},mount_tag={tag},security_model=none{options}"


def _cards(card: Card) -> list[str]:
    arguments = []
    for number, mac in enumerate(_MACS):
        bus = ""
        if card.needs_port:
            arguments += ["-device", f"pcie-root-port,id=port{number},chassis={number}"]
            bus = f",bus=port{number}"
        end = f"tap,ifname=tap{number},queues={card.queues},script=no,downscript=no"
        end = end if card.queues > 1 else "hubport,hubid=0"
        arguments += ["-netdev", f"{end},id=end{number}"]
        arguments += ["-device", f"{card.device},netdev=end{number},mac={mac}{bus},romfile="]
    return arguments


def _with_taps() -> list[str]:
    """Return what runs a program in a network namespace with two taps, joined by a bridge."""
    # Root needs no user namespace, in which it would not be the owner of what others own.
    ways = ["--net"] if os.geteuid() == 0 else ["--map-root-user", "--net"]
    lines = ["set -e", "ip link add bridge0 type bridge", "ip link set bridge0 up"]
    for number in range(len(_MACS)):
        lines += [
            f"ip tuntap add dev tap{number} mode tap multi_queue vnet_hdr",
            f"ip link set tap{number} master bridge0 up",
        ]
    return ["unshare", *ways, "sh", "-c", "; ".join([*lines, 'exec "$@"']), "sh"]


def _outside(port: int) -> list[str]:
    forwarded = f"hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:8888"
    return [
        *("-netdev", f"user,id=outside,restrict=on,{forwarded}"),
        *("-device", f"virtio-net-pci,netdev=outside,mac={_OUTSIDE_MAC},romfile="),
    ]


def _boots(machine: subprocess.Popen[bytes], booted: Path, end: float) -> bool:
    """Wait until the guest begins with the command; return whether it does in time."""
    while not booted.exists() and machine.poll() is None and time.monotonic() < end:
        time.sleep(_LOOK_EVERY)
    return booted.exists()


def _follow(machine: subprocess.Popen[bytes], output: Path, end: float) -> None:
    """Print what comes into the file, until the guest ends or its time is over."""
    with output.open("rb") as file:
        is_running = True
        while is_running:
            is_running = machine.poll() is None and time.monotonic() < end
            time.sleep(_LOOK_EVERY if is_running else 0)
            print(file.read().decode(errors="replace"), end="", flush=True)
