"""Wrong answers to the exercises of lesson 10."""

from support.wrong_answers import WrongAnswers


def _ports(field: str, packets: str) -> str:
    return f"""
def ports(capture):
    counted, packets = {{}}, 0
    while packets < 100:
        batch = capture.recv(timeout=5)
        for port in {field}.tolist():
            counted[port] = counted.get(port, 0) + 1
        packets += {packets}
    return counted
"""


_KEPT_TOO_LONG = """
def ports(capture):
    batches = []
    while sum(map(len, batches)) < 100:
        batches.append(capture.recv(timeout=5))
    every = [port for batch in batches for port in batch["udp.dport"].compressed()]
    return {port: every.count(port) for port in set(every)}
"""


def _count(line: str) -> str:
    head = "import asyncio\n\n\nasync def count(capture, wanted):\n    packets = 0"
    return f"{head}\n    {line}\n    return packets\n"


_BY_BATCH = """async for batch in capture:
        packets += 1
        if packets >= wanted:
            break"""
_BLOCKING = """while packets < wanted:
        packets += len(capture.recv(timeout=0.5))
        await asyncio.sleep(0)"""


def _handler(*lines: str) -> str:
    return "\n    ".join(
        [
            "def only_dns(data, packet, state):",
            "length = numba.carray(packet, 1)[0].length",
            "frame = numba.carray(data, length)",
            *lines,
        ]
    )


_IS_UDP = "frame[12] == 8 and frame[13] == 0 and frame[23] == 17"
_PORT = "(frame[36] << 8 | frame[37])"

WRONG: WrongAnswers = {
    "1": [
        _KEPT_TOO_LONG,
        _ports('batch["udp.sport"].compressed()', 'len(batch.where("udp"))'),
        _ports('batch["udp.dport"].compressed()', "len(batch)"),
    ],
    "2": [
        _count("while packets < wanted: packets += len(capture.recv(timeout=1))"),
        _count("async for batch in capture: return len(batch)"),
        _count(_BY_BATCH),
        _count(_BLOCKING),
        _count("packets += len(await capture.rcv())"),
        "async def count(capture): return 100",
        "def count(capture, wanted): return len(capture.recv())",
    ],
    "3": [
        _handler(f"return DELIVER if {_IS_UDP} and {_PORT} == 53 else DROP"),
        _handler(f"return DELIVER if length > 42 and {_PORT} == 53 else DROP"),
        _handler(f"return DROP if length > 42 and {_IS_UDP} and {_PORT} == 53 else DELIVER"),
    ],
}
