"""Which core runs what: away from interrupts, where there is a choice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdplab.core import cores as cores_module
from xdplab.core.cores import _listed, device_interrupts, interrupt_cores, worker_cores
from xdplab.lab.lab import Lab
from xdplab.net.interface import Interface

CORES = sorted(os.sched_getaffinity(0))


def test_workers_take_the_last_cores_first() -> None:
    assert worker_cores(len(CORES)) == tuple(reversed(CORES))
    assert worker_cores(len(CORES) + 1)[-1] == CORES[-1]


@given(st.sets(st.sampled_from(CORES)), st.integers(1, 64))
def test_a_core_that_serves_interrupts_is_taken_only_once_the_others_are(
    interrupted: set[int], workers: int
) -> None:
    chosen = worker_cores(workers, interrupted)
    first_round = chosen[: len(CORES)]
    flags = [core in interrupted for core in first_round]
    assert flags == sorted(flags)
    assert len(set(first_round)) == len(first_round)


@given(st.sets(st.integers(0, 511)))
def test_a_list_of_cores_is_read_as_the_kernel_writes_it(cores: set[int]) -> None:
    ordered = sorted(cores)
    runs: list[list[int]] = []
    for core in ordered:
        if runs and runs[-1][-1] == core - 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    text = ",".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)
    assert _listed(text + "\n") == cores


def test_the_cores_of_this_machines_interrupts_are_found() -> None:
    present = range(os.cpu_count() or 1)
    numbers = [int(folder.name) for folder in Path("/proc/irq").iterdir() if folder.name.isdigit()]
    assert numbers
    for number in numbers:
        assert interrupt_cores(number) <= set(present)
    assert any(interrupt_cores(number) for number in numbers)
    assert interrupt_cores(1 << 30) == frozenset()


def test_the_interrupts_of_a_card_are_its_devices_and_a_virtio_cards_what_it_stands_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for device, number in (("pci1", "38"), ("pci2", "39")):
        (tmp_path / device / "msi_irqs" / number).mkdir(parents=True)
    (tmp_path / "pci2" / "virtio0").mkdir()
    for interface, device in (("card", "pci1"), ("virtual", "pci2/virtio0")):
        (tmp_path / "net" / interface).mkdir(parents=True)
        (tmp_path / "net" / interface / "device").symlink_to(tmp_path / device)
    (tmp_path / "net" / "lo").mkdir()
    monkeypatch.setattr(cores_module, "_INTERFACES", tmp_path / "net")
    found = [device_interrupts(interface) for interface in ("card", "virtual", "lo", "gone")]
    assert found == [{38}, {39}, set(), set()]


@pytest.mark.kernel  # which is asked for them
def test_a_veth_has_no_interrupts(lab: Lab) -> None:
    found = Interface.find(lab.port.interface.name, lab.port.interface.namespace)
    assert found.interrupt_cores == frozenset()
