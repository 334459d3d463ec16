"""NAPI settings go to the kernel through netlink, do there what they say, and are put back."""

from __future__ import annotations

import ctypes
import os
import struct
import time
from pathlib import Path

import pytest
from support.loads import DEEP_RING
from support.waiting import eventually

from xdplab import (
    ConfigurationError,
    Engine,
    Interface,
    KernelError,
    Lab,
    PermissionRefusedError,
    Traffic,
    backends,
)
from xdplab.core.kernel_release import kernel_release
from xdplab.knobs.napi import NapiSettings
from xdplab.net.napi import Napi, read_napi, set_napi
from xdplab.settings.undo import undo

pytestmark = pytest.mark.kernel  # whose NAPI it is

UNTOUCHED = (False, 0, 0, 0)
CHANGED = {
    "threaded": True,
    "defer_hard_irqs": 7,
    "gro_flush_timeout": 20_000,
    "irq_suspend_timeout": 30_000_000,
}


def drop_this_threads_capabilities() -> None:
    """Leave the thread, and it alone, without any (capset(2))."""
    version, this_thread = 0x20080522, 0
    header, none = struct.pack("=Ii", version, this_thread), bytes(24)
    assert ctypes.CDLL(None, use_errno=True).capset(header, none) == 0


def settings(instance: Napi) -> tuple[object, ...]:
    return instance[1:5]


def in_the_kernel(interface: Interface, engine: Engine) -> list[tuple[object, ...]]:
    """Read them past the engine."""
    numbers = [instance.id for instance in engine.napi.read()]
    return [settings(napi) for napi in interface.namespace.run(read_napi, interface.index, numbers)]


def test_settings_are_set_in_the_kernel_and_read_back_and_noted(lab: Lab) -> None:
    engine = Engine(lab.port)
    (before,) = engine.napi.read()
    assert settings(before) == UNTOUCHED
    for name, value in CHANGED.items():
        setattr(engine.napi, name, value)
        assert getattr(engine.napi, name) == value
    assert in_the_kernel(lab.port.interface, engine) == [tuple(CHANGED.values())]
    assert engine.napi.latest == engine.napi.read()[0]
    assert [change[1:4] for change in engine.journal.changes] == [
        ("threaded", False, True),
        ("defer_hard_irqs", 0, 7),
        ("gro_flush_timeout", 0, 20_000),
        ("irq_suspend_timeout", 0, 30_000_000),
    ]
    assert [change.knob for change in undo(engine)] == ["irq_suspend_timeout"]
    assert engine.napi.irq_suspend_timeout == 0


def test_all_of_an_engines_queues_are_set_and_no_others(privileged: None) -> None:
    with Lab(queues=3) as lab, Engine(lab.port, queue=[0, 2]) as engine:
        other = NapiSettings([lab.port.interface], [1])
        engine.napi.defer_hard_irqs = 5
        assert [napi.defer_hard_irqs for napi in engine.napi.read()] == [5, 5]
        assert other.defer_hard_irqs == 0
        engine.reconfigure(queue=[0, 1])
        assert [napi.defer_hard_irqs for napi in engine.napi.read()] == [5, 0]


def test_both_interfaces_of_an_engine_that_joins_two_are_set(privileged: None) -> None:
    with (
        Lab(number=0) as one,
        Lab(number=1) as other,
        Engine(one.port, forward_to=other.port) as engine,
    ):
        engine.napi.defer_hard_irqs = 5
        for lab in (one, other):
            assert NapiSettings([lab.port.interface], [0]).defer_hard_irqs == 5


def test_what_was_changed_is_put_back_when_the_engine_is_closed(lab: Lab) -> None:
    there = NapiSettings([lab.port.interface], [0])
    there.gro_flush_timeout = 1_000  # somebody else's
    with Engine(lab.port) as engine:
        for name, value in CHANGED.items():
            setattr(engine.napi, name, value)
        engine.napi.threaded = False
        engine.napi.threaded = True
        assert settings(there.read()[0]) == tuple(CHANGED.values())
    assert settings(there.read()[0]) == (False, 0, 1_000, 0)


def test_threaded_napi_runs_in_a_thread_of_its_own(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        engine.napi.threaded = True
        (instance,) = engine.napi.read()
        name = Path(f"/proc/{instance.thread}/comm").read_text().strip()
        assert name == f"napi/port0-{instance.id}"
        clock = Path(f"/proc/{instance.thread}/schedstat")
        before = int(clock.read_text().split()[0])
        # No more than veth's ring of 256 holds, should the thread be kept from running.
        assert Traffic(lab.peer, lab.port, rate=1_000, count=200).start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 200)
        assert int(clock.read_text().split()[0]) > before


@pytest.mark.privilege  # a broker refuses it: tests/broker
def test_a_kernel_thread_busy_polls_where_the_kernel_has_that(lab: Lab) -> None:
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        if kernel_release() < (6, 19):
            with pytest.raises(
                KernelError,
                match=r"set threaded to busy-poll on NAPI \d+: .* ERANGE .*needs Linux 6\.19",
            ):
                engine.napi.threaded = "busy-poll"
            assert settings(engine.napi.read()[0]) == UNTOUCHED
            assert engine.journal.changes == ()
            return
        engine.napi.threaded = "busy-poll"
        (instance,) = engine.napi.read()
        assert instance == engine.napi.latest._replace(thread=instance.thread)
        assert instance.threaded == engine.napi.threaded == "busy-poll"
        assert f"thread {instance.thread}, busy-polling" in str(engine.napi)
        # From its first packet on, also when no more come.
        assert Traffic(lab.peer, lab.port, rate=1_000, count=200).start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 200)
        clock = Path(f"/proc/{instance.thread}/schedstat")
        before = int(clock.read_text().split()[0])
        assert eventually(lambda: int(clock.read_text().split()[0]) > before + 300_000_000)
        assert [change.knob for change in undo(engine)] == ["threaded"]
        assert engine.napi.threaded is False
        engine.napi.threaded = "busy-poll"
    assert NapiSettings([lab.port.interface], [0]).threaded is False


def test_a_thread_that_is_switched_off_and_on_again_goes_back_to_its_core(
    may_place: None, lab: Lab
) -> None:
    def cores() -> set[int]:
        (instance,) = there.read()
        assert instance.thread is not None
        return os.sched_getaffinity(instance.thread)

    there = NapiSettings([lab.port.interface], [0])
    there.threaded = True
    instance = there.read()[0]
    assert instance.thread is not None
    os.sched_setaffinity(instance.thread, {0})
    there.threaded = False
    there.threaded = True
    assert cores() == {0}
    with Engine(lab.port) as engine:
        engine.napi.threaded = False
    assert cores() == {0}  # put back when the engine was closed


def test_deferred_interrupts_hand_packets_over_in_batches_a_flush_timeout_apart(lab: Lab) -> None:
    period = 0.02
    with Engine(lab.port, ring_size=DEEP_RING) as engine:
        engine.napi.defer_hard_irqs = 1000
        engine.napi.gro_flush_timeout = round(period * 1e9)
        begun = time.monotonic()
        assert Traffic(lab.peer, lab.port, rate=2_000, count=2_000).start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] > 1_000)
        counters = engine.telemetry.counters()
        periods = (time.monotonic() - begun) / period
    # One wake-up for each packet otherwise: test_waits.py.
    assert 0 < counters["wakeups"] <= periods + 2
    assert counters["batches"][3:].sum() > 0


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("threaded", 2),
        ("threaded", "busy_poll"),
        ("defer_hard_irqs", -1),
        ("defer_hard_irqs", 1 << 31),
        ("gro_flush_timeout", 10**9 + 1),
        ("gro_flush_timeout", 0.5),
        ("irq_suspend_timeout", -1),
        ("irq_suspend_timeout", "1"),
    ],
)
def test_what_can_not_work_is_refused_before_anything_is_touched(
    lab: Lab, name: str, wrong: object
) -> None:
    engine = Engine(lab.port)
    with pytest.raises(ConfigurationError, match=name):
        setattr(engine.napi, name, wrong)
    assert settings(engine.napi.read()[0]) == UNTOUCHED
    assert engine.journal.changes == ()


def test_what_the_kernel_refuses_is_told_in_its_words(lab: Lab) -> None:
    with pytest.raises(
        KernelError, match=r"set defer_hard_irqs to 1 on NAPI 1: .* ENOENT .*come and go"
    ):
        backends.of(lab.port.interface.namespace).set_napi(
            lab.port.interface, 1, {"defer_hard_irqs": 1}
        )


def test_an_interface_without_napi_says_so(lab: Lab) -> None:
    loopback = Interface.find("lo", lab.port.interface.namespace)
    none = NapiSettings([loopback], [0])
    assert none.threaded is none.gro_flush_timeout is none.latest is None
    with pytest.raises(ConfigurationError, match=r"names no NAPI instance of lo"):
        none.threaded = True


def test_it_takes_cap_net_admin(lab: Lab) -> None:
    (instance,) = Engine(lab.port).napi.read()

    def set_without_capabilities() -> None:
        drop_this_threads_capabilities()
        set_napi(instance.id, {"defer_hard_irqs": 1})

    with pytest.raises(PermissionRefusedError, match=r"EPERM.*CAP_NET_ADMIN"):
        lab.port.run(set_without_capabilities)
