"""Write into each lesson how long it takes, and what comes before and after it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from xdplab.course.lessons import Lesson, lessons, notebooks

CONTENTS = "00"


def line_of(lesson: Lesson, every: Sequence[Lesson]) -> str:
    """Return the line that stands below a lesson's heading."""
    place = every.index(lesson)
    parts = [f"{lesson.minutes} minutes"]
    if lesson.number != CONTENTS and every[0].number == CONTENTS:
        parts.append(f"[all lessons]({every[0].name})")
    if place > 0:
        parts.append(f"before: {link(every[place - 1])}")
    if place + 1 < len(every):
        parts.append(f"next: {link(every[place + 1])}")
    return f"*{' · '.join(parts)}*"


def contents(every: Sequence[Lesson]) -> str:
    """Return the table of contents."""
    rows = [f"| {link(each)} | {each.minutes} min |" for each in every]
    return "\n".join(["| lesson | takes |", "| --- | --- |", *rows])


def link(lesson: Lesson) -> str:
    """Return a link to a lesson."""
    return f"[{lesson.number} {lesson.title}]({lesson.name})"


def main() -> None:
    """Write it into each lesson, and the table of contents into the first."""
    every = lessons()
    paths = dict(notebooks())
    for lesson in every:
        path = paths[lesson.name]
        notebook = json.loads(path.read_text())
        first = notebook["cells"][0]
        heading, *rest = "".join(first["source"]).split("\n\n")
        if rest and rest[0].startswith("*"):
            del rest[0]
        first["source"] = "\n\n".join([heading, line_of(lesson, every), *rest]).splitlines(True)
        for cell in notebook["cells"]:
            if cell["metadata"].get("xdplab", {}).get("contents"):
                cell["source"] = contents(every).splitlines(True)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
