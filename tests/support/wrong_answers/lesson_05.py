"""Wrong answers to the exercises of lesson 05."""

from support.wrong_answers import WrongAnswers


def _repair(line: str) -> str:
    return f"def repair(engine, traffic):\n    {line}\n    return engine\n"


WRONG: WrongAnswers = {
    "1": [
        _repair("engine.reconfigure(ring_size=4096)"),
        _repair("engine.reconfigure(match='tcp')"),
        _repair("engine = traffic"),
    ],
    "2": [_repair("engine.reconfigure(ring_size=4096)"), _repair("traffic.rate = 10")],
    "3": [
        _repair("engine.reconfigure(ring_size=128)"),
        _repair("engine.close()"),
        _repair("engine.stop()"),
    ],
}
