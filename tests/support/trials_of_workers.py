"""Errors of running an engine or a generator, provoked, and what their remedies say, done."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from support.capabilities import without
from support.typed_remedies import in_a_child, provokes, refusal
from xdplab import Engine, Lab, Telemetry, Traffic
from xdplab.native import lib


def try_io_uring_refused(code: int, settings: str, remedy: str) -> None:
    refused, other = in_a_child(
        f"""
        lab = Lab()
        refuse(IO_URING_SETUP, {code})
        tried(lambda: Engine(lab.port, {settings}).start())
        tried(lambda: Engine(lab.peer, {remedy}).start())
        """
    )
    assert errno.errorcode[code] in refused
    assert remedy in refused
    if code != errno.EINVAL:
        assert "A seccomp filter refuses io_uring here" in refused
    assert not other


@provokes(lib.XDPLAB_STEP_NONE, errno.ENOSYS)
def try_a_system_call_that_is_not_let_through() -> None:
    refused, other = in_a_child(
        """
        lab = Lab()
        refuse(BPF, errno.ENOSYS)
        tried(lambda: Engine(lab.port).start())
        tried(lambda: Engine(Lab(backend='soft').port).start())
        """
    )
    assert "ENOSYS" in refused
    assert "A seccomp filter refuses that here" in refused
    assert "Lab(backend='soft')" in refused
    assert not other


for refused_with in (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS):
    for at, settings_, remedy_ in (
        (lib.XDPLAB_STEP_PREPARE_PATH, "path='udp-uring'", "path='udp-epoll'"),
        (lib.XDPLAB_STEP_PREPARE_WAIT, "wait='uring-multishot'", "wait='poll'"),
    ):
        provokes(at, refused_with)(
            lambda code=refused_with, settings=settings_, remedy=remedy_: try_io_uring_refused(
                code, settings, remedy
            )
        )


def try_tcp_by_io_uring_refused(code: int) -> None:
    refused, other = in_a_child(
        f"""
        from xdplab.bench.peers.tcp_receiver import TcpReceiver
        one, two = socket.socketpair()
        refuse(IO_URING_SETUP, {code})
        core = min(os.sched_getaffinity(0))
        tried(lambda: TcpReceiver(one, 'tcp-uring', cpu=core).close())
        tried(lambda: TcpReceiver(two, 'tcp-epoll', cpu=core).close())
        """
    )
    assert errno.errorcode[code] in refused
    assert "tcp-epoll" in refused
    assert not other


for refused_with in (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS):
    provokes(lib.XDPLAB_STEP_PREPARE_TCP, refused_with)(
        lambda code=refused_with: try_tcp_by_io_uring_refused(code)
    )


@provokes(lib.XDPLAB_STEP_PREPARE_WAIT, errno.EOPNOTSUPP)
def try_napi_by_io_uring_on_an_older_kernel() -> None:
    refused, other = in_a_child(
        """
        lab = Lab()
        refuse(IO_URING_REGISTER, errno.EINVAL, (1, 27))
        tried(lambda: Engine(lab.port, wait='uring-napi').start())
        tried(lambda: Engine(lab.peer, wait='uring-multishot').start())
        """
    )
    assert "wait='uring-multishot'" in refused
    assert not other


@provokes(lib.XDPLAB_STEP_PREPARE_WAIT, errno.ENOPROTOOPT)
def try_busy_poll_on_an_older_kernel() -> None:
    refused, other = in_a_child(
        """
        lab = Lab()
        refuse(SETSOCKOPT, errno.ENOPROTOOPT, (2, 69))  # SO_PREFER_BUSY_POLL
        tried(lambda: Engine(lab.port, wait='busy-poll').start())
        tried(lambda: Engine(lab.peer, wait='spin').start())
        """
    )
    assert "wait='spin'" in refused
    assert not other


@provokes(lib.XDPLAB_STEP_START_THREAD, errno.EPERM)
def try_realtime_without_the_capability() -> None:
    text = """
        lab = Lab()
        tried(lambda: Engine(lab.port, worker=Worker(realtime=1)).start())
        tried(lambda: Engine(lab.peer, worker=Worker(realtime=0)).start())
        """
    refused, ordinary = in_a_child(text, without("sys_nice"))
    assert "worker=Worker(realtime=0)" in refused
    assert not ordinary
    assert in_a_child(text) == ["", ""]


@provokes(lib.XDPLAB_STEP_START_THREAD, errno.EINVAL)
def try_a_core_that_was_taken_away() -> None:
    group = Path("/sys/fs/cgroup/cpuset/xdplab-test")
    if not group.parent.is_dir():
        pytest.skip("takes the cpuset controller of control groups, version 1")
    core = min(os.sched_getaffinity(0))
    group.mkdir()
    try:
        (group / "cpuset.mems").write_text("0")
        (group / "cpuset.cpus").write_text(str(core))
        refused, other = in_a_child(
            f"""
            engine = Engine(Lab().port, cpu=max(os.sched_getaffinity(0)))
            Path('{group}/cgroup.procs').write_text(str(os.getpid()))
            tried(engine.start)
            (core,) = os.sched_getaffinity(0)
            tried(lambda: Engine(Lab().port, cpu=core).start())
            """
        )
    finally:
        group.rmdir()
    assert f"cpu={core}" in refused
    assert not other


@provokes(lib.XDPLAB_STEP_GENERATE, errno.EBUSY)
def try_two_generators() -> None:
    with Lab() as lab:
        first = Traffic(lab.peer, lab.port)
        remedy = refusal(errno.EBUSY, lambda: Traffic(lab.peer, lab.port))
        assert "traffic.close()" in remedy
        first.close()
        Traffic(lab.peer, lab.port).close()


@provokes(lib.XDPLAB_STEP_TRACE, errno.EPERM)
def try_tracing_without_the_capability() -> None:
    text = """
        from xdplab.backends.softirq import SoftirqClock
        tried(lambda: SoftirqClock().__enter__())
        """
    (refused,) = in_a_child(text, without("perfmon,-sys_admin"))
    named = re.findall(r"CAP_(\w+)", refused)
    assert named == ["PERFMON", "BPF"]
    given = ",".join(f"+{name.lower()}" for name in named)
    assert in_a_child(text, ("setpriv", f"--bounding-set=-all,{given}")) == [""]


@provokes(lib.XDPLAB_STEP_MAKE_REGION, errno.EPROTO)
def try_what_is_no_region() -> None:
    descriptor = os.memfd_create("no region")
    os.ftruncate(descriptor, 1 << 20)
    remedy = refusal(errno.EPROTO, lambda: Telemetry(descriptor))
    os.close(descriptor)
    assert "descriptor of a telemetry region" in remedy
    with Lab() as lab, Engine(lab.port) as engine:
        Telemetry.open(engine.telemetry_path)


@provokes(lib.XDPLAB_STEP_START_THREAD, errno.EAGAIN)
def try_without_threads() -> None:
    group = Path("/sys/fs/cgroup/pids/xdplab-remedies")
    if not group.parent.is_dir():
        pytest.skip("takes the pids controller of control groups, version 1")
    group.mkdir()
    try:
        refused, again = in_a_child(
            f"""
            lab, group = Lab(), Path('{group}')
            engine = Engine(lab.port)
            (group / 'cgroup.procs').write_text(str(os.getpid()))
            (group / 'pids.max').write_text((group / 'pids.current').read_text())
            tried(engine.start)
            (group / 'pids.max').write_text('max')
            tried(engine.start)
            """
        )
    finally:
        group.rmdir()
    assert "EAGAIN" in refused
    assert "pids.max" in refused
    assert not again
