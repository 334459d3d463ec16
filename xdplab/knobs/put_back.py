"""What was changed on a device, and how it is put back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from xdplab.core.errors import ClosedError, InterfaceGoneError, KernelError, XdplabError
from xdplab.core.text import setting
from xdplab.net import steering
from xdplab.net.flow_rules import FlowRule, delete_rule, read_rules
from xdplab.net.interface import Interface, name_now


class Changed(NamedTuple):
    """A setting that was changed."""

    before: Any
    """Its value before the first change."""
    ours: Any
    """Its value after the last change."""


class PutBack:
    """The settings and rules of an interface that were changed here, until they are put back.

    Parameters
    ----------
    interface
        The interface.
    """

    def __init__(self, interface: Interface) -> None:
        self.interface = interface
        self._changed: dict[str, Changed] = {}
        self._rules: dict[int, FlowRule] = {}
        self._process = os.getpid()

    def note(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Note what a change made of all settings: one may move others, as channels do the table.

        What another program set since the last change here is what is put back.
        """
        for name, value in after.items():
            found = before.get(name)
            known = self._changed.get(name)
            if value != found or (known is not None and found != known.ours):
                kept = known.before if known is not None and found == known.ours else found
                self._changed[name] = Changed(kept, value)

    def note_rule(self, place: int, rule: FlowRule | None) -> None:
        """Note a rule that was added at a place; None: that was deleted."""
        if rule is None:
            self._rules.pop(place, None)
        else:
            self._rules[place] = rule

    def put_back(self) -> list[str]:
        """Put back what still is as it was set here.

        Returns
        -------
        list of str
            A sentence for each setting that stays as it is, since another program changed it or the
            kernel refused. None of an interface that is gone.
        """
        if os.getpid() != self._process:  # a forked child: they are its parent's
            return []
        try:
            return [*self._put_back_rules(), *self._put_back_settings()]
        except (InterfaceGoneError, ClosedError):
            return []
        except XdplabError as error:
            return [f"Nothing is put back: {error}"]

    def _put_back_settings(self) -> list[str]:
        changed, self._changed = self._changed, {}
        if not changed:
            return []
        name, said = name_now(self.interface), []
        now, limits, _rss = steering.read(self.interface)
        wanted: dict[str, Any] = {}
        for each in steering.all_names():
            if each not in changed or now.get(each) == changed[each].before:
                continue
            if now.get(each) == changed[each].ours:
                wanted[each] = changed[each].before
            else:
                said.append(
                    f"{each} of {name} is {_shown(now.get(each))} now, which another program set: "
                    f"it stays so. It was {_shown(changed[each].before)} before."
                )
        for each, value in wanted.items():
            if steering.read(self.interface).values.get(each) == value:
                continue  # another one has moved it back
            try:
                steering.write(self.interface, each, value, limits.get(each))
            except KernelError as error:
                said.append(f"{each} of {name} is not put back to {_shown(value)}: {error}")
        return said

    def _put_back_rules(self) -> list[str]:
        rules, self._rules = self._rules, {}
        if not rules:
            return []
        run, name, said = self.interface.namespace.run, self.interface.current_name(), []
        now = run(read_rules, name)
        for place, rule in rules.items():
            if now.get(place) == rule:
                try:
                    run(delete_rule, name, place)
                except KernelError as error:
                    said.append(f"Rule {place} of {name} stays: {error}")
            elif place in now:
                said.append(
                    f"Rule {place} of {name} is another program's now, and stays: {now[place]}"
                )
        return said


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex(":")
    if isinstance(value, tuple):
        return f"a table of {len(value):,} entries"
    return "nothing" if value is None else setting(value)
