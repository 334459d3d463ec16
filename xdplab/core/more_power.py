"""What a user without privilege does to get it."""

from __future__ import annotations

import os

BY_MAKE_LAB = "XDPLAB_OPENED_BY_MAKE_LAB"
"""Environment variable that `scripts/lab` sets where it found no way to give privilege."""

MORE_POWER = (
    "run as root, or have root start a broker (docs/without-root.md says how); `make lab`, which "
    "opened this notebook, found neither a broker nor sudo"
    if os.environ.get(BY_MAKE_LAB)
    else "run as root, or open the notebooks with `make lab`"
)
"""In words, for the middle of a sentence."""
