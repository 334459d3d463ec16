"""Errors of opening an engine, provoked, and what their remedies say, done."""

from __future__ import annotations

import errno
import re
import socket

from support.capabilities import without
from support.huge_pages import own_huge_pages
from support.objects import HEAD, compiled
from support.typed_remedies import in_a_child, in_own_namespace, opens, provokes, refusal, type_in
from support.waiting import eventually
from xdplab import Engine, Lab, Memory, Program
from xdplab.native import lib

ANY = lib.XDPLAB_STEP_NONE


@provokes(ANY, errno.EPERM)
def try_without_capabilities() -> None:
    text = "tried(lambda: Engine('v0').close())"
    (said,) = in_own_namespace(text, without("all"))
    named = re.findall(r"CAP_(\w+)", said)
    assert "EPERM" in said
    assert named == ["NET_ADMIN", "NET_RAW", "BPF"]
    given = ",".join(f"+{name.lower()}" for name in named)
    assert in_own_namespace(text, ("setpriv", f"--bounding-set=-all,{given}")) == [""]


@provokes(ANY, errno.EACCES)
def try_where_a_filter_forbids_bpf() -> None:
    refused, simulated = in_a_child(
        """
        lab = Lab()
        refuse(BPF, errno.EACCES)
        tried(lambda: Engine(lab.port))
        tried(lambda: Engine(Lab(backend='soft').port))
        """
    )
    assert "EACCES" in refused
    assert "Lab(backend='soft')" in refused
    assert not simulated


@provokes(ANY, errno.ENODEV)
def try_where_the_wire_is_gone() -> None:
    with Lab() as lab:
        lab.peer.command(["ip", "link", "del", "peer0"])
        assert "make a new lab" in refusal(errno.ENODEV, lambda: Engine(lab.port))
    with Lab() as lab:
        assert opens(lab.port)


@provokes(ANY, errno.ENETDOWN)
def try_when_the_wire_goes() -> None:
    with Lab() as lab, Engine(lab.port) as engine:
        lab.peer.command(["ip", "link", "del", "peer0"])
        assert eventually(lambda: engine.error)
        assert "make a new lab" in refusal(errno.ENETDOWN, engine.start)
    with Lab() as lab, Engine(lab.port) as engine:
        assert engine.running


@provokes(ANY, errno.ENXIO)
def try_when_a_kick_finds_no_device() -> None:
    refused, again = in_a_child(
        """
        with Lab() as lab:
            refuse(44, errno.ENXIO, (1, 0))  # sendto, without a byte
            engine = Engine(lab.port, stream=Stream(lab.peer)).start()
            while not engine.error:
                time.sleep(0.01)
            tried(engine.start)
        with Lab() as lab:
            tried(Engine(lab.port).start)
        """
    )
    assert "ENXIO" in refused
    assert "make a new lab" in refused
    assert not again


@provokes(ANY, errno.ENOMEM)
def try_with_little_memory() -> None:
    refused, smaller = in_a_child(
        """
        lab = Lab()
        pages = int(open("/proc/self/statm").read().split()[0])
        most = pages * resource.getpagesize() + (300 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        tried(lambda: Engine(lab.port, ring_size=65536, frame_size=4096))
        tried(lambda: Engine(lab.port, ring_size=1024))
        """
    )
    assert "ENOMEM" in refused
    assert "smaller ring_size" in refused
    assert not smaller


@provokes(ANY, errno.EMFILE)
def try_without_descriptors() -> None:
    refused, again = in_a_child(
        """
        lab = Lab()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = len(os.listdir('/proc/self/fd')) + 3
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
        typed(lambda: Engine(lab.port))
        tried(lambda: Engine(lab.port))
        """
    )
    assert "EMFILE" in refused
    assert "prlimit" in refused
    assert not again


@provokes(lib.XDPLAB_STEP_LOAD_PROGRAM, errno.EOPNOTSUPP)
def try_metadata_that_a_driver_does_not_have() -> None:
    refused, without_it = in_own_namespace(
        """
        shell('ip link add m0 link v0 type macvlan && ip link set m0 up')
        tried(lambda: Engine('m0', sampling=Sampling(metadata=True)))
        tried(lambda: Engine('m0', attach='skb'))
        """
    )
    assert "leave out metadata, and ask for attach='skb'" in refused
    assert not without_it


@provokes(lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EBUSY)
def try_beside_another_engine() -> None:
    with Lab(queues=2) as lab:
        first = Engine(lab.port)
        remedy = refusal(errno.EBUSY, lambda: Engine(lab.port, queue=1))
        assert "choose another queue" not in remedy
        assert "engine.close()" in remedy
        first.close()
        assert opens(lab.port, queue=1)


@provokes(lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EEXIST)
def try_beside_a_program_in_the_other_mode() -> None:
    with Lab(queues=2) as lab:
        first = Engine(lab.port, attach="skb")
        remedy = refusal(errno.EEXIST, lambda: Engine(lab.port, queue=1))
        assert "engine.close()" in remedy
        first.close()
        assert opens(lab.port, queue=1)


@provokes(lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.ENOSPC)
def try_where_the_peer_sends_on_more_queues() -> None:
    with Lab(queues=4) as lab:
        lab.port.command(["ethtool", "-L", "port0", "rx", "1"])
        assert "attach='skb'" in refusal(errno.ENOSPC, lambda: Engine(lab.port))
        assert opens(lab.port, attach="skb")


@provokes(lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.EOPNOTSUPP)
def try_a_driver_without_xdp() -> None:
    refused, in_the_stack = in_own_namespace(
        """
        tried(lambda: Engine('lo'))
        tried(lambda: Engine('lo', attach='skb'))
        """
    )
    assert "attach='skb'" in refused
    assert not in_the_stack


@provokes(lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.ERANGE)
def try_packets_of_several_buffers() -> None:
    with Lab(mtu=9000) as lab:
        remedy = refusal(errno.ERANGE, lambda: Engine(lab.port))
        assert "memory=Memory(multi_buffer=True)" in remedy
        assert opens(lab.port, memory=Memory(multi_buffer=True))
        type_in(remedy)  # in the peer's namespace
        assert opens(lab.port)
    assert "Lab(mtu=3400)" in remedy
    with Lab(mtu=3400) as lab:
        assert opens(lab.port)
    refused, again = in_own_namespace(
        """
        shell('ip link set v0 mtu 9000; ip link set p0 mtu 9000')
        typed(lambda: Engine('v0'))
        tried(lambda: Engine('v0'))
        """
    )
    assert "dev p0 mtu 3400" in refused
    assert not again


@provokes(lib.XDPLAB_STEP_ATTACH_PROGRAM, errno.ENOLINK)
def try_to_replace_a_program_that_was_taken_off() -> None:
    with Lab() as lab, _load(lab, "return XDP_PASS;") as program:
        link = program.attach()
        assert not lab.port.interface.namespace.run(
            lib.xdplab_detach_programs, lab.port.interface.index
        )
        remedy = refusal(errno.ENOLINK, lambda: link.replace(program))
        assert "program.attach(lab.port)" in remedy
        assert not program.attach(lab.port).closed


def _load(lab: Lab, body: str) -> Program:
    source = f'{HEAD}SEC("xdp") int program(struct xdp_md *context) {{ {body} }}'
    return Program(compiled(source), lab.port)


@provokes(lib.XDPLAB_STEP_OPEN_SOCKET, errno.EAFNOSUPPORT)
def try_where_a_sandbox_forbids_the_family() -> None:
    refused, simulated = in_a_child(
        """
        lab = Lab()
        refuse(SOCKET, errno.EAFNOSUPPORT, (0, 44))
        tried(lambda: Engine(lab.port))
        tried(lambda: Engine(Lab(backend='soft').port))
        """
    )
    assert "RestrictAddressFamilies" in refused
    assert "Lab(backend='soft')" in refused
    assert not simulated


@provokes(lib.XDPLAB_STEP_REGISTER_UMEM, errno.EINVAL)
def try_frames_that_are_too_small() -> None:
    with Lab() as lab:
        remedy = refusal(errno.EINVAL, lambda: Engine(lab.port, frame_size=1024))
        for size in map(int, re.findall(r"2048|4096", remedy)):
            assert opens(lab.port, frame_size=size)
        assert "memory=Memory(unaligned=True)" in remedy
        assert opens(lab.port, frame_size=3000, memory=Memory(unaligned=True))


@provokes(lib.XDPLAB_STEP_REGISTER_UMEM, errno.ENOBUFS)
def try_with_little_locked_memory() -> None:
    text = """
        lab = Lab()
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 20, 1 << 20))
        tried(lambda: Engine(lab.port))
        tried(lambda: Engine(lab.port, ring_size=64))
        """
    refused, smaller = in_a_child(text, without("ipc_lock"))
    assert "smaller ring_size" in refused
    assert not smaller
    assert "CAP_IPC_LOCK" in refused
    assert in_a_child(text) == ["", ""]
    refused, again = in_a_child(
        """
        lab = Lab()
        _, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 18, most))
        typed(lambda: Engine(lab.port, ring_size=256))
        tried(lambda: Engine(lab.port, ring_size=256))
        """,
        without("ipc_lock"),
    )
    assert "ENOBUFS" in refused
    assert not again


@provokes(lib.XDPLAB_STEP_MAP_HUGE_PAGES, errno.ENOMEM)
def try_without_huge_pages() -> None:
    with Lab() as lab:
        with own_huge_pages():
            remedy = refusal(errno.ENOMEM, lambda: Engine(lab.port, memory=Memory(huge_pages=True)))
            type_in(remedy)
            assert opens(lab.port, memory=Memory(huge_pages=True))
        assert "memory=Memory(huge_pages='auto')" in remedy
        assert opens(lab.port, memory=Memory(huge_pages="auto"))


@provokes(lib.XDPLAB_STEP_BIND, errno.EBUSY)
def try_beside_another_engine_on_the_queue() -> None:
    with Lab() as lab:
        first = Engine(lab.port)
        remedy = refusal(errno.EBUSY, lambda: Engine(lab.port))
        assert "choose another queue" not in remedy
        assert "engine.close()" in remedy
        first.close()
        assert opens(lab.port)


@provokes(lib.XDPLAB_STEP_BIND, errno.EOPNOTSUPP)
def try_zero_copy_where_there_is_none() -> None:
    with Lab() as lab:
        remedy = refusal(errno.EOPNOTSUPP, lambda: Engine(lab.port, bind="zero-copy"))
        for bind in ("copy", "auto"):
            assert f"'{bind}'" in remedy
            assert opens(lab.port, bind=bind)


@provokes(lib.XDPLAB_STEP_BIND_SOCKET, errno.EADDRINUSE)
def try_a_port_that_is_taken() -> None:
    with Lab() as lab:
        with lab.port.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind((lab.port.ipv4, 9))
            remedy = refusal(errno.EADDRINUSE, lambda: Engine(lab.port, path="udp-epoll"))
            assert "path='packet'" in remedy
            assert opens(lab.port, path="packet")
        assert opens(lab.port, path="udp-epoll")


@provokes(lib.XDPLAB_STEP_BIND_SOCKET, errno.EACCES)
def try_a_low_port_without_the_capability() -> None:
    text = """
        tried(lambda: Engine('v0', path='udp-epoll'))
        tried(lambda: Engine('v0', path='packet'))
        """
    refused, other = in_own_namespace(text, without("net_bind_service"))
    assert "CAP_NET_BIND_SERVICE" in refused
    assert not other
    assert in_own_namespace(text) == ["", ""]
