"""The tests once more, without any privilege, through a broker."""

from __future__ import annotations

from pathlib import Path

import pytest
import suite
from brokers import Broker


@pytest.mark.privilege
@pytest.mark.timeout(suite.LONGEST_SECONDS + 100)
def test_every_test_that_makes_a_lab_passes_through_a_broker(
    running_broker: Broker, installed: Path
) -> None:
    suite.check(installed, 65533, "broker", XDPLAB_BROKER=running_broker.socket)
