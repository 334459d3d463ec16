"""The course: its lessons, the reader's copies of them, and the checks of its exercises."""

from xdplab.course.checking import Verdict, check
from xdplab.course.drawing import way

__all__ = ["Verdict", "check", "way"]
