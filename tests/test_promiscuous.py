"""Frames for other addresses: filtered, told, and taken in by an engine that asks for it."""

from __future__ import annotations

import pytest
from support.typed_remedies import in_own_namespace

from xdplab import Engine, Lab

# A macvlan filters as a card does.
_MACVLAN = """
    from support.waiting import eventually
    shell('ip link add m0 link v0 type macvlan && ip link set m0 up')
    GROUP, OTHER = '01005e010101', '020000001234'
    def send(to, size=60):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
            raw.bind(('p0', 0))
            raw.send(bytes.fromhex(to + '020000000099' + '88b5').ljust(size, bytes(1)))
    def comes(engine, to):
        before = engine.telemetry.counters()['rx_bytes']
        def grown():
            return int(engine.telemetry.counters()['rx_bytes'] - before)
        send(to)
        # What is sent to all comes, and not before what was sent before it.
        send('ff' * 6, 1000)
        assert eventually(lambda: grown() >= 1000)
        return grown() == 1060
    def asked(name='m0'):
        from pyroute2 import IPRoute
        with IPRoute() as route:
            return next(iter(route.get_links(ifname=name))).get('promiscuity')
"""

pytestmark = pytest.mark.privilege  # to capture outside of a lab


def macvlan(text: str) -> None:
    in_own_namespace(_MACVLAN + text)


def test_a_promiscuous_engine_takes_in_what_is_for_others_until_it_is_closed() -> None:
    macvlan("""
    with Engine('m0', attach='skb') as engine:
        assert not comes(engine, GROUP)
        assert asked() == 0
    with Engine('m0', attach='skb', promiscuous=True) as engine:
        assert asked() == 1
        assert comes(engine, GROUP) == 1
    assert asked() == 0
    """)


def test_it_is_changed_by_a_reconfiguration_and_outlives_others() -> None:
    macvlan("""
    with Engine('m0', attach='skb') as engine:
        engine.reconfigure(promiscuous=True)
        assert comes(engine, GROUP) == 1
        engine.reconfigure(ring_size=512)
        assert (asked(), comes(engine, GROUP)) == (1, 1)
        engine.reconfigure(promiscuous=False)
        assert (asked(), comes(engine, GROUP)) == (0, 0)
        try:
            engine.reconfigure(promiscuous=True, frame_size=1024)
        except KernelError:
            pass
        else:
            raise AssertionError
        assert asked() == 0
    shell('ip link set m0 promisc on')
    with Engine('m0', attach='skb', promiscuous=True) as engine:
        assert asked() == 2
    assert asked() == 1
    """)


def test_it_ends_with_the_process_whichever_way_and_not_with_a_child() -> None:
    macvlan("""
    import signal
    for end in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        ours, theirs = os.pipe()
        lives, ends = os.pipe()
        child = os.fork()
        if not child:
            engine = Engine('m0', attach='skb', promiscuous=True).start()
            if not os.fork():  # it outlives its parent
                os.close(ends)
                os.write(theirs, b'x')
                os.read(lives, 1)
                os._exit(0)
            time.sleep(60)
        assert os.read(ours, 1)
        assert asked() == 1
        os.kill(child, end)
        os.waitpid(child, 0)
        assert eventually(lambda: asked() == 0)
        # The child holds its parent's program.
        shell('ip link del m0 && ip link add m0 link v0 type macvlan && ip link set m0 up')
        os.close(ends)
    """)


def test_the_ledger_offers_it_and_what_it_says_lets_the_frames_in() -> None:
    macvlan("""
    import re
    def advised(ledger):
        typed = 'engine[.]reconfigure[(][^)]*[)]|Engine[(][^)]*[)]'
        return re.findall(typed, ledger.explain())
    def advises(ledger, count):  # a busy machine counts late
        eventually(lambda: len(advised(ledger)) == count)
        return advised(ledger)
    with Engine('m0', attach='skb') as engine:
        ledger = engine.ledger()
        send(GROUP)
        send(OTHER)
        here, below = advises(ledger, 2)
        assert here == 'engine.reconfigure(promiscuous=True)'
        eval(here)
        assert comes(engine, GROUP) == 1
        ledger = engine.ledger()
        send(OTHER)
        assert advises(ledger, 1) == [below]
    with eval(below) as engine:
        assert comes(engine, OTHER) == 1
        assert comes(engine, GROUP) == 1
    # A veth filters nothing.
    with Engine('v0') as engine:
        assert not advised(engine.ledger())
    """)


def test_in_a_lab_it_is_taken_as_well(lab: Lab) -> None:
    with Engine(lab.port, promiscuous=True) as engine:
        assert engine.configuration.promiscuous
        engine.reconfigure(promiscuous=False)
