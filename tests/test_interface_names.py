"""An interface is found by each of its names, alternative ones among them."""

from __future__ import annotations

import pytest
from support.typed_remedies import in_own_namespace

from xdplab import Engine, Interface, InterfaceGoneError, Lab

LONG = "an-alternative-name-longer-than-fifteen"


@pytest.mark.kernel
def test_an_alternative_name_stands_for_the_interface(lab: Lab) -> None:
    port = lab.port.interface
    for name in ("alt0", LONG):
        lab.port.command(["ip", "link", "property", "add", "dev", port.name, "altname", name])
    for name in (port.name, "alt0", LONG):
        assert Interface.find(name, port.namespace) == port
    with Engine(Interface.find("alt0", port.namespace)) as engine:
        assert engine.interface.name == port.name
        assert engine.interface.link_statistics()["rx_packets"] >= 0
        assert "rx_queue_0_xdp_packets" in engine.interface.driver_statistics()
    with pytest.raises(InterfaceGoneError) as unknown:
        Interface.find("alt1", port.namespace)
    assert f"port0 (also alt0, {LONG})" in str(unknown.value)
    assert "Did you mean 'alt0'?" in str(unknown.value)


@pytest.mark.privilege
def test_the_command_takes_an_alternative_name() -> None:
    said = in_own_namespace(
        """
        import io, json
        from contextlib import redirect_stdout, redirect_stderr
        from xdplab.cli.cli import main
        shell('ip link property add dev v0 altname alt0')
        printed, refused = io.StringIO(), io.StringIO()
        arguments = ['run', '--seconds', '0.2', '--json', '--interface']
        with redirect_stdout(printed):
            assert main([*arguments, 'alt0']) == 0
        assert json.loads(printed.getvalue())['balanced']
        with redirect_stderr(refused):
            assert main([*arguments, 'atl0']) == 1
        print(json.dumps(refused.getvalue()))
        """
    )
    assert "v0 (also alt0)" in said[0]
    assert "Did you mean 'alt0'?" in said[0]
