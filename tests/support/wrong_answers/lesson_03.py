"""Wrong answers to the exercises of lesson 03."""

from support.wrong_answers import WrongAnswers

WRONG: WrongAnswers = {
    "1": [
        'sleepless = ["spin"]',
        'sleepless = ["spin", "busy-poll", "uring-sqpoll", "timer"]',
        'sleepless = [["spin", "busy-poll"]]',
    ],
    "2": ["ring_size = 300", "ring_size = 256", "ring_size = 1024", "ring_size = 1e400"],
    "3": [
        """
def choose(figures, limit):
    return min(figures, key=lambda wait: figures[wait].get("latency p99", limit + 1))
""",
        """
def choose(figures, limit):
    quick = {w: f for w, f in figures.items() if f and f["latency p99"] <= limit}
    return min(quick, key=lambda wait: quick[wait]["core: busy"], default=None)
""",
        """
def choose(figures, limit):
    quick = {w: f for w, f in figures.items() if f and f["latency p99"] <= limit}
    return min(quick, key=lambda wait: quick[wait]["CPU a packet"], default=None)
""",
    ],
}
