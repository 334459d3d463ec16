"""Lets another user than the one who made this install run it.

scripts/setup copies it into the install, where Python runs it at each start. An editable install is
built by each import, into files that only its owner may write; another user runs it as it is.
"""

import os
import re
import sys
from pathlib import Path

_FAILED = re.compile(r"re-?building .*xdplab.* failed")  # as meson-python says it
_REMEDY = "@REMEDY@"
_PLACE = Path(__file__).resolve().parents[4]
_BUILD = _PLACE / "build/venv"


def _owner() -> str:
    try:
        return _BUILD.owner()
    except (OSError, KeyError):
        return "another user"


def _tell(kind: type, error: BaseException, trace: object) -> None:
    if isinstance(error, ImportError) and _FAILED.search(str(error)):
        print(
            f"xdplab: {_owner()} made this install, {_PLACE}, and its sources were changed since. "
            f"Only that user and root can build it anew. For one of your own: {_REMEDY}",
            file=sys.stderr,
        )
    else:
        sys.__excepthook__(kind, error, trace)


if not os.access(_BUILD, os.W_OK):
    # So that meson-python looks whether there is anything to build, and opens no log if not.
    os.environ.setdefault("MESONPY_EDITABLE_VERBOSE", "1")
    sys.excepthook = _tell
