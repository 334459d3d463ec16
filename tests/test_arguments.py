"""Whatever a public door is given, it works or says which argument is wrong, and nothing is left.

A new public function, parameter, method or attribute is tried without a change here.
"""

from __future__ import annotations

import gc
import os
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from doors import Door, of_names, of_objects, public_names
from patience import eventually
from wild import WILD

from xdplab import Engine, Lab, Ledger, Stream, Traffic, XdplabError, tune
from xdplab.configuration import CHANGEABLE
from xdplab.metrics import take
from xdplab.settings import KNOBS
from xdplab.sweep import Grid

LEFT_OUT = {
    "xdplab.widgets.Controls": "its knobs' traits are the engine's attributes, which are tried",
}
"""Doors that are not tried, and why."""

_NAMES = {"changes": CHANGEABLE, "knobs": tuple(KNOBS), "options": ("batch", "wait")}
"""What a door takes by any name."""


class World:
    """What doors are given where they are not given something wild, and whose doors are tried."""

    def __init__(self, backend: str | None, folder: Path) -> None:
        self.lab, self.free = Lab(backend=backend), Lab(backend=backend)
        self.engine = Engine(self.lab.port)
        self.traffic = Traffic(self.lab.peer, self.lab.port)
        self.ledger = Ledger(self.engine, self.traffic)
        with self.engine:
            pass
