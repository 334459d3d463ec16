"""The tests once more, without any privilege, on the soft NIC."""

from __future__ import annotations

from pathlib import Path

import pytest
import suite


@pytest.mark.privilege
@pytest.mark.timeout(suite.LONGEST_SECONDS + 100)
def test_every_test_that_makes_a_lab_passes_on_the_soft_nic(root: None, installed: Path) -> None:
    suite.check(installed, 65532, "soft")
