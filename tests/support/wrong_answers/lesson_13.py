"""Wrong answers to the exercises of lesson 13."""

from support.wrong_answers import WrongAnswers


def _queue(line: str) -> str:
    return f"def queue_of(hash, table):\n    {line}\n"


def _way(*conditions: str) -> str:
    lines = "".join(f"    if {condition}\n" for condition in conditions)
    return f'def in_the_way(card):\n{lines}    return ""\n'


_DRIVER = 'not card["driver_has_it"]: return "driver"'
_ATTACH = 'card["attach"] != "native": return "attach"'
_TOO_LONG = 'card["mtu"] + 18 > card["frame_size"]'
_MTU = f'not card["multi_buffer"] and {_TOO_LONG} - 256: return "mtu"'

WRONG: WrongAnswers = {
    "1": [
        _queue("return hash % len(set(table))"),
        _queue("return table[hash >> 25]"),
        _queue("return hash & len(table) - 1"),
    ],
    "2": [
        "table = [0, 0, 1, 2]",
        "table = [0, 1, 2, 3] * 32",
        "table = [0] * 64 + [1] * 64",
        "table = [0.9] * 64 + [1.2] * 32 + [2] * 32",
    ],
    "3": ["rx_usecs = 64", "rx_usecs = 63", "rx_usecs = 50", "rx_usecs = 15.6"],
    "4": [
        _way(_DRIVER, _ATTACH, f'{_TOO_LONG}: return "mtu"'),
        _way(_MTU, _ATTACH, _DRIVER),
        _way(_DRIVER, _ATTACH, 'card["mtu"] > 1500: return "mtu"'),
    ],
}
