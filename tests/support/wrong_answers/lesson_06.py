"""Wrong answers to the exercises of lesson 06."""

from support.wrong_answers import WrongAnswers


def _path(*sides: str) -> str:
    rings = ("fill", "rx", "tx", "completion", "fill")
    return f"path = {list(zip(sides, rings, strict=True))}"


def _join(line: str) -> str:
    return f"def join(left, right):\n    {line}\n"


WRONG: WrongAnswers = {
    "1": [
        _path("right", "right", "left", "left", "left"),
        _path("left", "left", "right", "right", "left"),
        'path = ["fill", "rx", "tx", "completion", "fill"]',
    ],
    "2": ["forwarded = 256", "forwarded = 64"],
    "3": ["needed = (18, 2)", "needed = (600, 600)", "needed = (3, 19)", "needed = (18.75, 2.34)"],
    "4": [
        _join('return Engine(left.port, action="reflect").start()'),
        _join('return Engine(left.port, forward_to=right.port, match="icmp").start()'),
        _join("return Engine(left.port, forward_to=right.port)"),
    ],
}
