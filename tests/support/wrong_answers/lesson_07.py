"""Wrong answers to the exercises of lesson 07."""

from support.wrong_answers import WrongAnswers


def _paths(*paths: str) -> str:
    return f"paths_for = {dict(zip('abcd', paths, strict=True))}"


def _begins(*bytes_: int) -> str:
    return f"begins = {dict(zip(('xsk', 'packet-mmap', 'udp-epoll'), bytes_, strict=True))}"


def _cheapest(line: str) -> str:
    return f"def cheapest(rows):\n    {line}\n"


_NONE_LOST = '[row for row in rows if not row["lost_percent"]]'
_WORKERS = 'key=lambda row: row["cpu_ns_per_packet"], default={"path": None}'
_SOFTIRQS = 'key=lambda row: row["softirq_ns_per_packet"], default={"path": None}'
_SUM = 'key=lambda row: row["cpu_ns_per_packet"] + row["softirq_ns_per_packet"]'

WRONG: WrongAnswers = {
    "1": [
        _paths("xsk", "xdp", "xsk", "udp-epoll"),
        _paths("packet", "xsk", "xsk", "udp-epoll"),
        _paths("packet", "xdp", "packet-mmap", "udp-epoll"),
        _paths("packet", "xdp", "xsk", "AF_XDP"),
        _paths("packet", "xdp", "xsk", "packet-mmap"),
    ],
    "2": [_begins(42, 42, 42), _begins(42, 0, 0), _begins(34, 34, 0), _begins(50, 42, 0)],
    "3": [
        _cheapest(f'return min({_NONE_LOST}, {_SUM})["path"]'),
        _cheapest(f'return min(rows, {_SUM})["path"]'),
        _cheapest(f'return min({_NONE_LOST}, {_WORKERS})["path"]'),
        _cheapest(f'return min({_NONE_LOST}, {_SOFTIRQS})["path"]'),
    ],
}
