"""The words of a ledger for packets that came on a queue for which there is no socket.

As in explain.py, counts and settings go in, and sentences come out.
"""

from __future__ import annotations

from xdplab.ledger import explain_links
from xdplab.ledger.situation import Situation


def no_socket(now: Situation) -> str:
    """Say why packets found no socket, and which setting captures them.

    Parameters
    ----------
    now
        The settings.
    """
    if removed := explain_links.no_socket(now):
        return removed
    if now.stray_queues:
        queues = sorted({*now.queues, *now.stray_queues})
        named = ", ".join(str(queue) for queue in now.stray_queues)
        on = "queue" if len(now.stray_queues) == 1 else "the queues"
        came = f" came on {on} {named}, where no engine is"
        remedy = f"Engine(queue={queues}) captures on all of them, a worker each"
    elif len(now.queues) >= now.queue_count > 0:
        return (
            " found no socket on a queue that has an engine, and went to the stack: something "
            "else has taken the socket out of the XDP program's map. engine.reconfigure() puts it "
            "back."
        )
    else:
        came = " came on a queue without an engine"
        remedy = f"Name more queues: {all_queues(now)}"
    if not now.steering:
        return f"{came}, and went to the stack. {remedy}."
    if now.generator_cpu is None:
        return f"{came}, and went to the stack. {remedy}; or {now.steering} steers them."
    return (
        f"{came}, and went to the stack. {remedy}; or steer the generator: on veth its frames "
        f"arrive on queue (its core modulo queues), and it runs on core {now.generator_cpu}: "
        f"{now.steering}."
    )


def all_queues(now: Situation) -> str:
    """Return the argument by which an engine has every queue that there is."""
    return f"Engine(queue={list(range(max(now.queue_count, 2)))})"
