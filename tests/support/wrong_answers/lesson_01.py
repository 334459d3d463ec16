"""Wrong answers to the exercises of lesson 01."""

from support.wrong_answers import WrongAnswers

WRONG: WrongAnswers = {
    "1": [
        "seconds = 2 * 2048 / 10_000",
        "seconds = 10_000 / 2048",
        "seconds = 0.2",
        "import numpy\nseconds = numpy.array([0.2, 0.4])",
    ],
    "2": [
        """
def three_hundred(lab):
    with Engine(lab.port) as engine, Traffic(lab.peer, lab.port, rate=1000) as traffic:
        return engine.ledger(traffic).settle()
""",
        """
def three_hundred(lab):
    with Engine(lab.port, match="icmp") as engine:
        traffic = Traffic(lab.peer, lab.port, rate=1000, count=300)
        ledger = engine.ledger(traffic)
        traffic.start().wait()
        return ledger.settle()
""",
    ],
    "3": ['match = ""', 'match = "icmp"'],
}
