"""The course: its lessons, the reader's copies of them, and the checks of its exercises."""

from xdplab.course.checking import Verdict, check
from xdplab.course.drawing import way
from xdplab.course.farm import Farm
from xdplab.course.lesson_05 import patient
from xdplab.course.sending import answers, refused, send
from xdplab.course.stepping import follow, rings, step

__all__ = [
    "Farm",
    "Verdict",
    "answers",
    "check",
    "follow",
    "patient",
    "refused",
    "rings",
    "send",
    "step",
    "way",
]
