"""Conditions on header fields: "udp.dport == 53 and ipv4.src in 198.18.0.0/15".

They are read as expressions of Python, in which a field stands for its values in all packets.
Nothing of them is run.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any

import numpy as np
import numpy.typing as npt

from xdplab.core.checks import is_a, shown
from xdplab.core.errors import ConfigurationError
from xdplab.fields import FIELDS, address

Mask = npt.NDArray[np.bool_]
Read = Callable[[str], Any]
"""Returns the values of a field, masked where a packet has none."""

_LONGEST = 1000  # characters
# Addresses stand without quotes, and Wireshark's signs for Python's words.
_ADDRESS = re.compile(
    r"""(?<![\w.:'"])(
        (?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}          # a MAC address
        |(?=[0-9a-fA-F:]*:[0-9a-fA-F]*:)[0-9a-fA-F:.]+(?:/\d+)?  # an IPv6 address, or a network
        |\d+\.\d+\.\d+\.\d+(?:/\d+)?                      # an IPv4 address, or a network
    )(?![\w.:'"])""",
    re.VERBOSE,
)
_SIGNS = ((r"&&", " and "), (r"\|\|", " or "), (r"!(?!=)", " not "))
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EXAMPLE = "'udp.dport == 53 and ipv4.src in 198.18.0.0/15'"


def where(condition: object, read: Read, count: int) -> Mask:
    """Tell of each packet whether it meets a condition.

    Parameters
    ----------
    condition
        Comparisons of fields with numbers and addresses, joined by ``and``, ``or``, ``not``;
        ``in`` for several values or a network; ``tcp.flags & 2`` for some bits. A field or a
        protocol alone holds where the packet has it. A comparison with a field that a packet
        lacks does not hold.
    read
        Returns a field's values.
    count
        How many packets there are.

    Raises
    ------
    ConfigurationError
        For what is no such condition.
    """
    if not is_a(condition, str) or len(condition) > _LONGEST:
        raise ConfigurationError(f"condition={shown(condition)} must be text such as {_EXAMPLE}.")
    text = _ADDRESS.sub(r'"\1"', str.__str__(condition))
    for sign, word in _SIGNS:
        text = re.sub(sign, word, text)
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _Condition(str.__str__(condition), read, count).holds(tree.body)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            f"condition={shown(condition)} is none. Write one such as {_EXAMPLE}."
        ) from None


def _all(masks: Sequence[Mask]) -> Mask:
    found: Mask = np.logical_and.reduce(masks)
    return found


def _any(masks: Sequence[Mask]) -> Mask:
    found: Mask = np.logical_or.reduce(masks)
    return found


def _is_long(value: object) -> bool:
    """Tell whether it is IPv6 addresses: a field's values, or one address, which has no mask."""
    if isinstance(value, np.ma.MaskedArray):
        return value.ndim > 1
    return isinstance(value, np.ndarray)


class _Condition:
    def __init__(self, text: str, read: Read, count: int) -> None:
        self._text, self._read, self._count = text, read, count

    def holds(self, node: ast.expr) -> Mask:
        match node:
            case ast.BoolOp(op=ast.And(), values=parts):
                return _all([self.holds(part) for part in parts])
            case ast.BoolOp(values=parts):
                return _any([self.holds(part) for part in parts])
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return ~self.holds(part)
            case ast.Compare(left=left, ops=operators, comparators=rights):
                sides = [left, *rights]
                found = [
                    self._compared(*each) for each in zip(sides, operators, rights, strict=False)
                ]
                return _all(found)
        return self._there(node)

    def _there(self, node: ast.expr) -> Mask:
        """Tell which packets have a protocol or a field, or some bits of it."""
        match node:
            case ast.BinOp(op=ast.BitAnd()):
                return self._filled(self._value(node) != 0)
            case ast.Name(id=protocol):
                return self._has(protocol)
            case ast.Attribute():
                return ~self._lacks(self._value(node))
        raise self._refusal(node)

    def _compared(self, left: ast.expr, how: ast.cmpop, right: ast.expr) -> Mask:
        value = self._value(left)
        if isinstance(how, ast.In | ast.NotIn):
            inside = self._inside(value, right)
            return inside if isinstance(how, ast.In) else ~inside & ~self._lacks(value)
        compare = _COMPARISONS.get(type(how))
        if compare is None:
            raise self._refusal(left)
        return self._filled(self._each(compare, value, self._value(right)))

    def _each(self, compare: Callable[[Any, Any], Any], value: Any, other: Any) -> Any:
        """Compare two values; an IPv6 address is 16 bytes, which are equal or not."""
        long = [_is_long(value), _is_long(other)]
        if not any(long):
            return compare(value, other)
        if not all(long) or compare not in (operator.eq, operator.ne):
            raise ConfigurationError(
                f"condition={shown(self._text)}: an IPv6 address is compared by ==, != or in, with "
                "another."
            )
        same = (value == other).all(axis=-1)
        return same if compare is operator.eq else ~same

    def _inside(self, value: Any, several: ast.expr) -> Mask:
        if isinstance(several, ast.Constant) and is_a(several.value, str) and "/" in several.value:
            return self._within(value, several.value)
        if not isinstance(several, ast.Tuple | ast.List | ast.Set):
            raise self._refusal(several)
        found = [self._each(operator.eq, value, self._value(each)) for each in several.elts]
        return _any([self._none(), *map(self._filled, found)])

    def _within(self, value: Any, network: str) -> Mask:
        try:
            wanted = ip_network(network, strict=False)
        except ValueError:
            raise ConfigurationError(
                f"condition={shown(self._text)}: {network} is no network, such as 198.18.0.0/15."
            ) from None
        mask, first = (np.frombuffer(each.packed, np.uint8) for each in (wanted.netmask, wanted[0]))
        if (value.ndim > 1) != (wanted.version == 6):
            raise ConfigurationError(
                f"condition={shown(self._text)}: {network} is a network of IPv{wanted.version}."
            )
        if value.ndim > 1:
            return self._filled(((value & mask) == first).all(axis=1))
        return self._filled((value & int(wanted.netmask)) == int(wanted[0]))

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Attribute(value=ast.Name(id=protocol), attr=name):
                return self._read(f"{protocol}.{name}")
            case ast.Constant(value=bool()):
                raise self._refusal(node)
            case ast.Constant(value=int(number)):
                return number
            case ast.Constant(value=str(text)):
                return address(text)
            case ast.BinOp(left=left, op=ast.BitAnd(), right=ast.Constant(value=int(bits))):
                return self._value(left) & bits
        raise self._refusal(node)

    def _has(self, protocol: str) -> Mask:
        """Tell which packets have a protocol: the first of its fields."""
        name = next((each for each in FIELDS if each.partition(".")[0] == protocol), None)
        if name is None:
            protocols = dict.fromkeys(each.partition(".")[0] for each in FIELDS)
            raise ConfigurationError(
                f"condition={shown(self._text)}: {protocol} is no protocol. "
                f"These are: {', '.join(protocols)}."
            )
        return ~self._lacks(self._read(name))

    def _lacks(self, value: Any) -> Mask:
        mask: Any = np.ma.getmaskarray(value)
        lacks: Mask = mask if mask.ndim < 2 else mask.any(axis=1)
        return lacks

    def _filled(self, found: Any) -> Mask:
        """Return where a comparison holds: not where a field is lacking."""
        return np.broadcast_to(np.ma.filled(found, False), (self._count,)).astype(np.bool_)

    def _none(self) -> Mask:
        return np.zeros(self._count, np.bool_)

    def _refusal(self, node: ast.expr) -> ConfigurationError:
        return ConfigurationError(
            f"condition={shown(self._text)}: {ast.unparse(node)!r} is not understood. Compare "
            f"fields with numbers and addresses, as in {_EXAMPLE}."
        )
