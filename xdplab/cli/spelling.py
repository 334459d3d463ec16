"""Names of options in messages, in place of the Python keywords that they stand for."""

from __future__ import annotations

import argparse
import ast
import re
import shlex

from xdplab.configuration.keywords import PLACES, groups

_ALSO_THERE = ("command", "signals", "benchmark")
"""Of the namespace, but no options."""

# As `shown` writes it: text that is too long ends in three dots, without its quote.
_TEXT = r"""'(?:[^'\\]|\\.)*?(?:'|\.\.\.(?!\S))|"(?:[^"\\]|\\.)*?(?:"|\.\.\.(?!\S))"""
_VALUE = rf"(?:{_TEXT}|\[[^\]]*\]|\([^)]*\)|\.\.\.|-?[\w.+-]*\w)"


def as_options(message: str, options: argparse.Namespace) -> str:
    """Write the settings in a message as the options of a command.

    ``ring_size=3`` becomes ``--ring-size 3``, and ``multi_buffer=True``, in its group or alone,
    ``--multi-buffer``. What stands in a call of Python stays, as does a setting without an option.

    Parameters
    ----------
    message
        What an `XdplabError` says.
    options
        The command's, by their keywords. ``rate_option`` is how ``rate`` was typed, where an option
        has several names.
    """
    known = {
        name: getattr(options, f"{name}_option", None) or f"--{name.replace('_', '-')}"
        for name in vars(options)
        if name not in _ALSO_THERE and not name.endswith("_option")
    }
    flat = {(place.keyword, place.field): name for name, place in PLACES.items()}
    names = "|".join(known)
    pattern = re.compile(
        rf"(?P<group>{'|'.join(groups())})=\w+\((?P<field>\w+)=(?P<inner>{_VALUE})\)"
        r"|[\w.]+\((?:[^()]|\([^()]*\))*\)"
        rf"|(?<![\w.-])(?P<name>{names})=(?P<value>{_VALUE})"
        # English has no word with an underscore: such a name alone is a setting's.
        r"|(?<![\w.-])(?P<alone>[a-z]+(?:_[a-z]+)+)(?![\w=])"
    )

    def spell(found: re.Match[str]) -> str:
        if alone := found["alone"]:
            return known.get(alone, alone)
        name = found["name"] or flat.get((found["group"], found["field"]), "")
        if name not in known:
            return found[0]
        return f"{known[name]} {_typed(found['value'] or found['inner'])}".rstrip()

    return pattern.sub(spell, message)


def _typed(written: str) -> str:
    """Write a value as words of a command line; nothing for a switch, and for a gap."""
    try:
        value = ast.literal_eval(written)
    except (SyntaxError, ValueError):  # text that was cut, or a number that is none
        return written
    if value is True or value is Ellipsis:
        return ""
    several = value if isinstance(value, list | tuple) else (value,)
    return shlex.join(str(each) for each in several)
