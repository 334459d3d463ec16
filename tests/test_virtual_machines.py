"""How guests of `make vm` are made, run and ended. Tests in guests are in tests/vm."""

from __future__ import annotations

import lzma
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from guests.errors import BootError, VirtualMachineError
from guests.guest import Guest
from guests.initramfs import write_initramfs
from guests.lists import CARDS, KERNELS
from guests.store import Store
from support.waiting import eventually

TOOLS = {"PYTHONPATH": str(Path(__file__).parents[1] / "tools")}
QEMU = """#!/bin/sh
for word; do
    case $word in *mount_tag=results*) results=${word#*path=}; results=${results%%,*} ;; esac
done
. "$results/settings"
echo booting >"$results/console"
"""
ENDS = f"""{QEMU}
: >"$results/booted"
sh -c "$COMMAND" >"$results/output" 2>&1
echo $? >"$results/status"
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Have a store with a kernel, and a busybox that packs nothing."""
    made = Store(tmp_path)
    tool(made, "bin/busybox", "#!/bin/sh\ncat\n")
    tool(made, "usr/bin/qemu-system-x86_64", ENDS)
    modules = tmp_path / "kernel-newest" / "lib" / "modules" / "7.0"
    modules.mkdir(parents=True)
    (modules / "vmlinuz").touch()
    (modules / "modules.dep").write_text(
        "fs/9p.ko.xz: net/9pnet.ko.xz fs/netfs.ko\nfs/netfs.ko:\nnet/9pnet.ko.xz:\n"
    )
    for name in ("fs/9p.ko.xz", "net/9pnet.ko.xz", "fs/netfs.ko"):
        (modules / name).parent.mkdir(exist_ok=True)
        (modules / name).write_bytes(lzma.compress(b"") if name.endswith(".xz") else b"")
    return made


def tool(store: Store, place: str, script: str) -> None:
    """Put a script in the place of a program."""
    file = store.folder / "tools" / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(script)
    file.chmod(0o755)


class Clock:
    """In place of `time`: the time is over once a file is there, however long that took."""

    sleep = staticmethod(time.sleep)

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begun = False

    def monotonic(self) -> float:
        """Return the seconds: 0 at first, when the file may be there already."""
        now = 1e9 if self._begun and self._file.exists() else 0.0
        self._begun = True
        return now


def hang(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str = "") -> None:
    """Let guests do something first, and then nothing until their time is over."""
    there = tmp_path / "hangs"
    script = f"{QEMU}{first}\n: >{there}\nexec sleep 600\n"
    tool(store, "usr/bin/qemu-system-x86_64", script)
    monkeypatch.setattr("guests.guest.time", Clock(there))


@pytest.mark.parametrize("card", [*CARDS, ""])
def test_a_guest_runs_a_command_and_hands_on_its_status_and_output(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], card: str
) -> None:
    assert Guest("newest", card).run(store, tmp_path, "echo it\\'s here; exit 3", 60) == 3
    assert capsys.readouterr().out == "it's here\n"


def test_a_guest_that_hangs_is_ended_and_its_console_is_shown(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang(store, tmp_path, monkeypatch, ': >"$results/booted"')
    with pytest.raises(VirtualMachineError, match=r"(?s)newest and igb did not end .*booting"):
        Guest("newest", "igb").run(store, tmp_path, "true", 60)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_guest_ends_with_the_process_that_started_it(
    store: Store, tmp_path: Path, how: signal.Signals
) -> None:
    number = tmp_path / "pid"
    tool(store, "usr/bin/qemu-system-x86_64", f"#!/bin/sh\necho $$ >{number}\nexec sleep 600\n")
    script = (
        "from pathlib import Path\nfrom guests.guest import Guest\nfrom guests.store import Store\n"
        f"Guest('newest', 'igb').run(Store(Path({str(tmp_path)!r})), Path('/'), 'true', 600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], env=os.environ | TOOLS) as process:
        assert eventually(lambda: number.exists() and number.read_text().strip())
        process.send_signal(how)
    assert eventually(lambda: not Path("/proc", number.read_text().strip()).exists())


def test_a_guest_that_does_not_boot_is_told_from_one_that_does_not_end(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang(store, tmp_path, monkeypatch)
    with pytest.raises(BootError, match=r"(?s)newest and igb did not start.*booting"):
        Guest("newest", "igb").run(store, tmp_path, "true", 60, boots_within=30)


def test_each_card_is_there_twice_on_one_wire(store: Store, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    for name, card in CARDS.items():
        if card.queues > 1:
            continue  # see below
        tool(store, "usr/bin/qemu-system-x86_64", f'{ENDS}echo "$@" >{seen}\n')
        Guest("newest", name).run(store, tmp_path, "true", 60)
        words = seen.read_text()
        assert words.count(f"-device {card.device},netdev=") == 2
        assert words.count("hubid=0") == 2
        assert "readonly=on" in words


@pytest.mark.privilege
def test_a_card_of_several_queues_has_a_tap_in_a_namespace_of_its_own(
    privileged: None, store: Store, tmp_path: Path
) -> None:
    seen, links = tmp_path / "seen", tmp_path / "links"
    look = f'echo "$@" >{seen}; ip -o link show master bridge0 >{links}\n'
    for name, card in CARDS.items():
        if card.queues == 1:
            continue
        tool(store, "usr/bin/qemu-system-x86_64", ENDS + look)
        Guest("newest", name).run(store, tmp_path, "true", 60)
        assert seen.read_text().count(f"queues={card.queues},") == 2
        joined = [line.split(":")[1].strip() for line in links.read_text().splitlines()]
        assert joined == ["tap0", "tap1"]
    here = subprocess.run(["ip", "link"], check=True, capture_output=True, text=True)
    assert "tap0" not in here.stdout


def test_modules_are_loaded_after_those_that_they_need(store: Store, tmp_path: Path) -> None:
    tool(store, "bin/busybox", "#!/bin/sh\ncat modules/order\n")
    write_initramfs(store, store.kernel("newest"), tmp_path / "initramfs")
    assert (tmp_path / "initramfs").read_text().split() == ["netfs.ko", "9pnet.ko", "9p.ko"]


def test_a_kernel_that_can_not_be_had_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without apt-get
    with pytest.raises(
        VirtualMachineError, match=r"kernel 6\.1 can't be had: there is no `apt-get`"
    ):
        store.kernel("6.1")
    assert not (store.folder / "kernel-6.1").exists()


def test_what_is_listed_is_told_on_the_page() -> None:
    page = Path(__file__).parents[1].joinpath("docs", "virtual-machines.md").read_text()
    assert all(f"| `{name}` |" in page for name in (*KERNELS, *CARDS))
    for name, card in CARDS.items():
        native = ".".join(map(str, card.native_since))
        zero_copy = ".".join(map(str, card.zero_copy_since)) if card.zero_copy_since else "has none"
        assert f"| `{name}` | {native} | {zero_copy} |" in page


def test_what_runs_in_a_guest_are_shell_scripts() -> None:
    for name in ("init.sh", "start.sh"):
        script = Path(__file__).parents[1] / "tools" / "guests" / name
        subprocess.run(["sh", "-n", script], check=True)
