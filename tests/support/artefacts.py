"""Where tests leave pictures for a person to look at."""

from __future__ import annotations

from support.installs import SOURCE

ARTEFACTS = SOURCE / "test-artefacts"
