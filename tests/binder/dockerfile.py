"""Reads a Dockerfile, as far as ours goes."""

from __future__ import annotations

import json
import shlex
import string
from pathlib import Path
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, as it is written: without continued lines, with its variables."""

    name: str
    rest: str

    def words(self, variables: dict[str, str]) -> list[str]:
        """Return what follows the name, with the variables filled in."""
        if self.rest.startswith("["):
            return [str(word) for word in json.loads(self.rest)]
        return shlex.split(string.Template(self.rest).substitute(variables))


def read_dockerfile(path: Path) -> list[Instruction]:
    """Read every instruction, in order."""
    lines = (line.strip() for line in path.read_text().splitlines())
    parts = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [Instruction(name, rest.strip()) for name, _, rest in parts]
