"""The version of the running kernel, for what can't be tried without doing harm."""

from __future__ import annotations

import os
import re


def kernel_release(release: str | None = None) -> tuple[int, int]:
    """Return a kernel's version, such as (6, 12); (0, 0) where it can't be read.

    Parameters
    ----------
    release
        As printed by ``uname -r``. Default: the running kernel's.
    """
    numbers = re.match(r"(\d+)\.(\d+)", os.uname().release if release is None else release)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
