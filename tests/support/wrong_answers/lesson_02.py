"""Wrong answers to the exercises of lesson 02."""

from support.wrong_answers import WrongAnswers

WRONG: WrongAnswers = {
    "1": ['path = ["fill", "rx", "tx", "completion", "fill"]', 'path = ["fill", "rx"]'],
    "2": ["lost = 1000 - 256", "lost = 1000"],
    "3": [
        """
def lose_fifty(lab):
    with Engine(lab.port, ring_size=64) as engine:
        engine.stop()
        traffic = Traffic(lab.peer, lab.port, rate=1000, count=50)
        ledger = engine.ledger(traffic)
        traffic.start().wait()
        return ledger.read()
""",
        """
def lose_fifty(lab):
    with Engine(lab.port, ring_size=64) as engine:
        engine.stop()
        traffic = Traffic(lab.peer, lab.port, rate=1000, count=128 + 50)
        ledger = engine.ledger(traffic)
        traffic.start().wait()
        return ledger.read()
""",
    ],
}
