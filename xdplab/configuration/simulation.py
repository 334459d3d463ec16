"""What a simulated interface does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdplab.core.errors import ConfigurationError

if TYPE_CHECKING:
    from xdplab.configuration.configuration import Configuration


def refuse_what_is_not_simulated(configuration: Configuration) -> None:
    """Reject settings that simulated interfaces have no equal of.

    Raises
    ------
    ConfigurationError
        For these, and where one interface is simulated and another is not.
    """
    simulated = [interface.namespace.simulated for interface in configuration.interfaces]
    if not any(simulated):
        return
    if not all(simulated):
        raise ConfigurationError(
            "forward_to=... can't join a simulated interface and a real one: no packet gets "
            "from one to the other. Take two labs of one backend: Lab(backend='soft')."
        )
    if configuration.memory.multi_buffer:
        raise ConfigurationError(
            "multi_buffer=True is not simulated: a soft NIC has one frame a packet. Leave it "
            "out, and take a larger frame_size."
        )
    if configuration.asks_device:
        raise ConfigurationError(
            "checksum='device' is not simulated: a soft NIC finishes none. Take "
            "checksum='software', with which the worker finishes them."
        )
    if configuration.path != "xsk":
        raise ConfigurationError(
            f"path={configuration.path!r} is the kernel's, and a simulated NIC has AF_XDP's rings "
            "only. Take path='xsk', or a real lab: Lab(backend='kernel')."
        )
