"""Frames for other addresses: filtered, told, and taken in by an engine that asks for it."""

from __future__ import annotations

import pytest
from support.typed_remedies import in_own_namespace

from xdplab import Engine, Lab

# A macvlan filters as a card does.
_MACVLAN = """
    shell('ip link add m0 link v0 type macvlan && ip link set m0 up')
    GROUP, OTHER = '01005e010101', '020000001234'
    def send(to):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
            raw.bind(('p0', 0))
            raw.send(bytes.fromhex(to + '020000000099' + '88b5') + bytes(46))
    def comes(engine, to):
        before = engine.telemetry.counters()['rx_packets']
        send(to)
        time.sleep(0.2)
        return int(engine.telemetry.counters()['rx_packets'] - before)
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
        child = os.fork()
        if not child:
            engine = Engine('m0', attach='skb', promiscuous=True).start()
            if not os.fork():  # it outlives its parent
                os.write(theirs, b'x')
                time.sleep(5)
                os._exit(0)
            time.sleep(60)
        assert os.read(ours, 1)
        assert asked() == 1
        os.kill(child, end)
        os.waitpid(child, 0)
        deadline = time.monotonic() + 4
        while asked() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert asked() == 0
        # The child holds its parent's program.
        shell('ip link del m0 && ip link add m0 link v0 type macvlan && ip link set m0 up')
    """)


def test_the_ledger_offers_it_and_what_it_says_lets_the_frames_in() -> None:
    macvlan("""
    import re
    def advised(ledger):
        typed = 'engine[.]reconfigure[(][^)]*[)]|Engine[(][^)]*[)]'
        return re.findall(typed, ledger.explain())
    with Engine('m0', attach='skb') as engine:
        ledger = engine.ledger()
        send(GROUP)
        send(OTHER)
        deadline = time.monotonic() + 30  # a busy machine counts them late
        while len(advised(ledger)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        here, below = advised(ledger)
        assert here == 'engine.reconfigure(promiscuous=True)'
        eval(here)
        assert comes(engine, GROUP) == 1
        ledger = engine.ledger()
        send(OTHER)
        assert advised(ledger) == [below]
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
