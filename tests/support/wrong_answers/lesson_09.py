"""Wrong answers to the exercises of lesson 09."""

from support.wrong_answers import WrongAnswers


def _choose(line: str) -> str:
    return f"import random\n\n\ndef choose(servers, key):\n    {line}\n"


WRONG: WrongAnswers = {
    "1": ["share = 0.2", "share = 1", "share = 80", "share = 0.75"],
    "2": [
        _choose("return servers[hash(key) % len(servers)]"),
        _choose("return random.choice(servers)"),
        _choose("return max(servers)"),
        _choose("return max(enumerate(servers), key=lambda s: hash((s[0], key)))[1]"),
        _choose('return max(servers, key=lambda server: hash(f"{server} {key}"))'),
    ],
    "3": [
        "entries = [8190, 4095, 2730, 1365]",
        "entries = [4095, 4095, 4095, 4095]",
        "entries = [8189, 5460, 2730, 1]",
        "entries = [8192, 5461, 2731, 0]",
        "entries = [8190, 5460, 2730]",
    ],
}
