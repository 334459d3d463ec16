"""What can't work is refused with the remedy, and nothing is left of the attempt."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from threading import Timer

import pytest
from support.capabilities import without
from support.waiting import eventually

from xdplab import (
    ClosedError,
    ConfigurationError,
    Engine,
    InterfaceGoneError,
    KernelError,
    Lab,
    QueueBusyError,
    Traffic,
    XdplabError,
)
from xdplab.configuration.keywords import grouped
from xdplab.engine.engine import WAIT_STRATEGIES
from xdplab.native import lib

# The kernel's alone: what takes routes and links that come and go.


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"queue": 1}, "queue=1 must be a whole number, 0 to 0"),
        ({"queue": -1}, "queue=-1 must be"),
        ({"ring_size": 1000}, "choose 512 or 1024"),
        ({"ring_size": 0}, "ring_size=0 must be"),
        ({"batch": 0}, "batch=0 must be a whole number, 1 to 2048"),
        ({"batch": 4096}, "batch=4096 must be a whole number, 1 to 2048"),
        ({"batch": 1.5}, "batch=1.5 must be"),
        ({"wait": "uring-multishots"}, "Did you mean 'uring-multishot'?"),
        ({"attach": "offload"}, "native, skb"),
        ({"bind": "zero_copy"}, "Did you mean 'zero-copy'?"),
        ({"cpu": 4096}, "cpu=4096 must be one of"),
        ({"sample_every": -1}, "Sampling: every=-1 must be"),
        ({"publish_interval": 0}, "publish_interval=0 must be"),
    ],
)
def test_values_that_can_not_work_are_refused(
    lab: Lab, wrong: dict[str, object], remedy: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(remedy)):
        Engine(lab.port, **grouped(wrong))
    Engine(lab.port).close()


@pytest.mark.parametrize("ring_size", [2, 16, 64, 2048])
def test_a_batch_that_nobody_asked_for_fits_the_ring(lab: Lab, ring_size: int) -> None:
    with Engine(lab.port, ring_size=ring_size) as engine:
        assert engine.batch == min(64, ring_size)
        Traffic(lab.peer, lab.port, count=1).start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 1)
    with Engine(lab.port) as engine:
        engine.reconfigure(ring_size=ring_size)
        assert engine.batch == min(64, ring_size)


@pytest.mark.parametrize("frame_size", [1024, 3000, 8192])
def test_a_frame_size_that_the_kernel_refuses_names_those_it_takes(
    lab: Lab, frame_size: int
) -> None:
    with pytest.raises(KernelError, match=r"EINVAL.*frame_size 2048 or 4096"):
        Engine(lab.port, frame_size=frame_size)
    Engine(lab.port, frame_size=4096).close()


def test_zero_copy_on_a_driver_without_it_names_copy(lab: Lab) -> None:
    with pytest.raises(KernelError, match=r"EOPNOTSUPP.*bind='copy'"):
        Engine(lab.port, bind="zero-copy")
    with Engine(lab.port, bind="auto") as engine:
        assert not engine.zero_copy


def test_a_second_engine_on_the_queue_is_refused_and_the_first_goes_on(lab: Lab) -> None:
    with Engine(lab.port) as first:
        with pytest.raises(QueueBusyError, match=r"EBUSY.*: close .*engine\.close\(\)"):
            Engine(lab.port)
        Traffic(lab.peer, lab.port, count=100).start().wait(30)
        assert eventually(lambda: first.telemetry.counters()["rx_packets"] == 100)


@pytest.mark.privilege
def test_a_queue_is_waited_for_where_no_program_serves_it_as_the_kernel_frees_it_late(
    lab: Lab,
) -> None:
    interface = lab.port.interface
    first = Engine(lab.port)
    assert interface.namespace.run(lib.xdplab_detach_programs, interface.index) == 0
    closing = Timer(2, first.close)
    closing.start()
    with Engine(lab.port) as second:
        closing.join()
        Traffic(lab.peer, lab.port, count=100).start().wait(30)
        assert eventually(lambda: second.telemetry.counters()["rx_packets"] == 100)


def test_a_lab_in_place_of_its_port_is_told_so(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match=r"lab\.port"):
        Engine(lab)  # type: ignore[arg-type]


def test_an_interface_that_does_not_exist_is_named_with_those_that_do(privileged: None) -> None:
    with pytest.raises(InterfaceGoneError, match=r"'nowhere0'.*ENODEV.*\blo\b"):
        Engine("nowhere0")


@pytest.mark.kernel
def test_the_interface_of_the_default_route_is_refused_unless_the_user_insists(lab: Lab) -> None:
    route = ["ip", "route", "add", "default", "via", lab.peer.ipv4]
    assert lab.port.command(route).returncode == 0
    with pytest.raises(ConfigurationError, match="allow_default_route=True"):
        Engine(lab.port.interface)
    Engine(lab.port.interface, allow_default_route=True).close()


@pytest.mark.kernel
@pytest.mark.parametrize("wait", WAIT_STRATEGIES)
def test_an_interface_that_disappears_ends_its_worker_with_an_error(lab: Lab, wait: str) -> None:
    with Engine(lab.port, wait=wait) as engine:
        assert engine.error is None
        assert lab.peer.command(["ip", "link", "del", "peer0"]).returncode == 0
        # A record is written every 10 ms, whatever the strategy; here only that it comes.
        assert eventually(lambda: engine.error is not None)
        assert not engine.running
        assert isinstance(engine.error, InterfaceGoneError)
        assert re.search(r"port0 queue 0.*ENETDOWN.*make a new lab", str(engine.error))
        with pytest.raises(InterfaceGoneError):
            engine.start()


def test_a_missing_capability_is_named(lab: Lab) -> None:
    text = "from xdplab import Engine; Engine('lo', allow_default_route=True)"
    done = subprocess.run(
        [*without("all"), sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    assert re.search(r"PermissionRefusedError.*EPERM.*CAP_NET_ADMIN", done.stderr)


@pytest.mark.parametrize(
    "use",
    [
        lambda engine: engine.start(),
        lambda engine: engine.batch,
        lambda engine: setattr(engine, "wait", "spin"),
        lambda engine: engine.verdicts(),
        lambda engine: engine.telemetry_path,
    ],
)
def test_a_closed_engine_says_so(lab: Lab, use: Callable[[Engine], object]) -> None:
    engine = Engine(lab.port)
    engine.close()
    engine.close()
    engine.stop()
    with pytest.raises(ClosedError, match="Make a new one"):
        use(engine)
    assert "closed" in repr(engine)


def test_telemetry_outlives_its_engine(lab: Lab) -> None:
    with Engine(lab.port) as engine:
        Traffic(lab.peer, lab.port, count=10).start().wait(30)
        assert eventually(lambda: engine.telemetry.counters()["rx_packets"] == 10)
    assert engine.telemetry.counters()["rx_packets"] == 10


def test_every_error_of_ours_is_an_xdplab_error() -> None:
    import xdplab.core.errors

    classes = [kind for kind in vars(xdplab.core.errors).values() if isinstance(kind, type)]
    ours = [kind for kind in classes if kind.__module__ == "xdplab.core.errors"]
    assert len(ours) > 5
    assert all(issubclass(kind, XdplabError) for kind in ours)


@pytest.mark.kernel
def test_an_interface_that_is_down_is_refused_with_the_command_that_helps(lab: Lab) -> None:
    assert lab.port.command(["ip", "link", "set", "port0", "down"]).returncode == 0
    with pytest.raises(ConfigurationError, match="ip link set port0 up"):
        Engine(lab.port.interface)


def test_zero_copy_in_skb_mode_is_a_contradiction(lab: Lab) -> None:
    with pytest.raises(ConfigurationError, match="goes around it"):
        Engine(lab.port, attach="skb", bind="zero-copy")
