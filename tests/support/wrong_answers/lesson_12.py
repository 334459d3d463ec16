"""Wrong answers to the exercises of lesson 12."""

from support.wrong_answers import WrongAnswers


def _factor(line: str) -> str:
    return f"def factor(one, other):\n    {line}\n"


def _front(line: str) -> str:
    return f"def front_of(tried):\n    {line}\n"


WRONG: WrongAnswers = {
    "1": ["seconds = 22.5", "seconds = 62.5", "seconds = 375"],
    "2": [
        _factor("return np.mean(one) / np.mean(other)"),
        _factor("return np.median(one) / np.median(other)"),
        _factor("return np.mean(np.array(one) / np.array(other))"),
        _factor("return max(one) / max(other)"),
        _factor("return 1.2"),
    ],
    "3": [
        _front(
            "return {max(tried, key=lambda n: tried[n][0]), min(tried, key=lambda n: tried[n][1])}"
        ),
        _front(
            "return {n for n, (r, l) in tried.items()"
            " if not any(r2 > r and l2 < l for r2, l2 in tried.values())}"
        ),
        _front(
            "return {n for n, (r, l) in tried.items()"
            " if not any(r2 >= r and l2 <= l for m, (r2, l2) in tried.items() if m != n)}"
        ),
    ],
}
