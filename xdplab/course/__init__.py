"""The course: its lessons, the reader's copies of them, and the checks of its exercises."""

from xdplab.course.checking import Verdict, check

__all__ = ["Verdict", "check"]
