"""A broker, started as root from an install that its clients can't write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import objects
from support.brokers import Broker, Start, running
from support.hosts import make_host

from xdplab.net.namespace import Namespace


@pytest.fixture(scope="session")
def root() -> None:
    """Skip what only root can try; in continuous integration, fail it."""
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("the broker's tests need root")
        pytest.skip("the broker's tests need root")


@pytest.fixture(scope="session")
def running_broker(root: None, installed: Path) -> Iterator[Broker]:
    with running(installed) as broker:
        yield broker


@pytest.fixture
def broker(running_broker: Broker) -> Iterator[Broker]:
    """Yield the broker that tests share, which each of them leaves as it found it."""
    yield running_broker
    assert running_broker.process.poll() is None, running_broker.log()
    assert running_broker.is_quiet(), running_broker.log()
    assert "Traceback" not in running_broker.log(), running_broker.log()


@pytest.fixture
def start_broker(root: None, installed: Path) -> Iterator[Start]:
    """Start a broker of the test's own, with options."""
    with ExitStack() as stack:

        def start(*options: str, before: tuple[str, ...] = ()) -> Broker:
            return stack.enter_context(running(installed, *options, before=before))

        yield start


@pytest.fixture
def host(root: None) -> Iterator[Namespace]:
    """Make a network namespace that plays the host's own."""
    with Namespace.create() as made:
        made.run(make_host)
        yield made


@pytest.fixture
def lender(host: Namespace, start_broker: Start) -> Iterator[Broker]:
    """Start a broker that lends `card0` and `card1` of that host."""
    enter = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{host.fd}")
    yield start_broker("--interface", "card0", "--interface", "card1", before=enter)


@pytest.fixture
def compiled() -> Callable[[str], bytes]:
    """Compile programs with clang, each once."""
    return objects.compiled
