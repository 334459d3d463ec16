"""Wrong answers to the exercises of lesson 04."""

from support.wrong_answers import WrongAnswers

WRONG: WrongAnswers = {
    "1": ["taken = 32", "taken = 0"],
    "2": ["rates = (4_000_000, 4_000_000 * 32)", "rates = (250, 56.25)", "rates = 4e6"],
    "3": [
        "def knee(runs):\n    return max((rate for rate, lost in runs if not lost), default=0)\n",
        "def knee(runs):\n    return max(rate for rate, lost in runs)\n",
    ],
}
