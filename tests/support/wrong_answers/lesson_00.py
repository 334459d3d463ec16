"""Wrong answers to the exercises of lesson 00."""

from support.wrong_answers import WrongAnswers

WRONG: WrongAnswers = {
    "1": [
        'believable = {"a", "b", "c"}',
        'believable = {"c"}',
        'believable = ["a", "c", "e"]',
        'believable = "a"',
    ],
    "2": [
        """
def one_in_five(lab):
    lab.peer.faults.ring_full_every = 5
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=2000, count=1000)
        ledger = engine.ledger(traffic)
        traffic.start().wait()
        return ledger.settle(10)
""",
        """
def one_in_five(lab):
    lab.port.faults.ring_full_every = 20
    with Engine(lab.port) as engine:
        traffic = Traffic(lab.peer, lab.port, rate=2000, count=1000)
        ledger = engine.ledger(traffic)
        traffic.start().wait()
        return ledger.settle(10)
""",
    ],
}
