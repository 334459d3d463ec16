"""The knob `wait`: how an engine's workers wait for packets, and which strategies work here."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from xdplab.configuration.configuration import WAIT_STRATEGIES
from xdplab.configuration.path_rules import refuse_wait
from xdplab.core.checks import choice
from xdplab.core.kernel_release import kernel_release
from xdplab.engine.configured import Configured
from xdplab.knobs.row import Knob
from xdplab.native import lib
from xdplab.native.paths import Kind
from xdplab.refusals.errors import error_at

if TYPE_CHECKING:
    from xdplab.knobs.napi import NapiSettings
    from xdplab.telemetry.region import Telemetry

_BY_SOCKETS_NAPI = ("busy-poll", "epoll-napi", "irq-suspend")
"""Strategies that drive the NAPI that the socket knows as its own."""

_NAPI_AT_BIND = (6, 13)
"""The kernel since which a socket knows that at bind or never; before, it learned it with its first
packet (__xsk_rcv_check, Linux 6.12), on veth, too."""

_SUSPENDING = {
    "defer_hard_irqs": 100,
    "gro_flush_timeout": 20_000,
    "irq_suspend_timeout": 20_000_000,
}
"""Settings of NAPI that must not be 0 for irq-suspend, and values to begin with
(Documentation/networking/napi.rst, "IRQ suspension", Linux 6.13)."""


class Waiting(Configured):
    """The wait strategy of an engine, or none where its path waits in its own way."""

    napi: NapiSettings
    telemetry: Telemetry

    def _read(self, knob: Knob[Any]) -> Any:
        if knob is Waiting.wait and not self.wait_strategies:
            return ""
        return super()._read(knob)

    def _turn(self, knob: Knob[Any], value: object) -> None:
        if knob is not Waiting.wait:
            super()._turn(knob, value)
            return
        if not self.wait_strategies:
            if choice("wait", value, ("", *WAIT_STRATEGIES)):  # what it is can be put back
                refuse_wait(self.path)
            return
        index = self._word(knob, value)
        with self._native.lock:
            if refusal := self._native.wait_refusal(index):
                tried = f"prepare the wait strategy {WAIT_STRATEGIES[index]}"
                raise error_at(lib.XDPLAB_STEP_PREPARE_WAIT, refusal, tried)
            super()._turn(knob, value)
        # The caller's callers: Knob.__set__, and FixedNames.__setattr__.
        self._warn_if_ineffective(WAIT_STRATEGIES[index], callers=4)

    @property
    def wait_strategies(self) -> tuple[str, ...]:
        """Values that `wait` accepts: `WAIT_STRATEGIES`, or none on a path with its own way."""
        return WAIT_STRATEGIES if self.configuration.kind == Kind.XSK else ()

    @property
    def wait_refused(self) -> tuple[str, ...]:
        """Wait strategies that the kernel refuses this engine; choosing one raises the reason."""
        refusal = self._native.wait_refusal
        return tuple(name for index, name in enumerate(self.wait_strategies) if refusal(index))

    @property
    def way(self) -> str:
        """Its wait strategy; on a path that waits in its own way, the path."""
        return self.wait or self.path

    @property
    def wait_ineffective(self) -> dict[str, str]:
        """Wait strategies without effect on this device: the reason, and what to use instead.

        They can still be chosen, with a warning, and measurements with them are labelled.
        """
        reasons = {
            name: self._native.wait_ineffective(
                index, but_for=self._unlearned() if name in _BY_SOCKETS_NAPI else ()
            )
            for index, name in enumerate(self.wait_strategies)
        }
        if reasons.get("irq-suspend") == "":
            reasons["irq-suspend"] = self._why_nothing_is_suspended()
        return {name: reason for name, reason in reasons.items() if reason}

    def _unlearned(self) -> list[int]:
        """List the workers whose socket may learn its NAPI with its first packet, still to come."""
        if self.simulated or kernel_release() >= _NAPI_AT_BIND:
            return []
        workers = range(self.telemetry.workers)
        return [each for each in workers if not self.telemetry.counters(each)["rx_packets"]]

    def _why_nothing_is_suspended(self) -> str:
        """Say what keeps the NAPI from suspending interrupts; empty where nothing does."""
        instances = self.napi.read()
        if not instances or instances[0].irq_suspend_timeout is None:
            return (
                "this kernel can't suspend interrupts, which takes Linux 6.13: it polls once "
                "before each sleep. Use epoll-napi."
            )
        unset = [name for name in _SUSPENDING if not getattr(instances[0], name)]
        if not unset:
            return ""
        help_ = ", ".join(f"engine.napi.{name} = {_SUSPENDING[name]:_}" for name in unset)
        return f"its NAPI suspends no interrupts unless it is told for how long. Set {help_}."

    @property
    def wait_note(self) -> str:
        """Why the chosen wait strategy is ineffective on this device; empty where it is not."""
        return self.wait_ineffective.get(self.wait, "")

    def _warn_if_ineffective(self, wait: str, callers: int = 1) -> None:
        if reason := self.wait_ineffective.get(wait):
            warnings.warn(f"wait={wait!r} is ineffective here: {reason}", stacklevel=2 + callers)
