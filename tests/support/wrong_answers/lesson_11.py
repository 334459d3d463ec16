"""Wrong answers to the exercises of lesson 11."""

from support.wrong_answers import WrongAnswers


def _constants(at: int, size: int) -> str:
    return f"key_at, key_bytes = {at}, {size}"


def _above(line: str) -> str:
    return f"def above_hundred(shards):\n    {line}\n"


_LATER = "sum(s.ask(lambda t: (v > 100 for v in t.values())).result())"

WRONG: WrongAnswers = {
    "1": ['need_several = {"c"}', 'need_several = {"b", "c", "d"}'],
    "2": ["share = 0.4", "share = 0.125", "share = 47.5", "share = 0.45"],
    "3": [
        _constants(3, 16),
        _constants(2, 8),
        _constants(3, 4),
        _constants(3, 9),
        _constants(3, 0),
    ],
    "4": [
        _above("return sum(v > 100 for shard in shards for v in shard.table.values())"),
        _above("return sum(v > 100 for s in shards for v in s.ask(lambda t: t).result().values())"),
        _above("return sum(v > 100 for s in shards for v in s.ask(dict.values).result())"),
        _above(f"return sum({_LATER} for s in shards)"),
        _above("return sum(shard.ask(len).result() for shard in shards)"),
    ],
}
