"""What somebody does who comes to the container; runs inside of it, as the notebooks' user.

`visitor.py COMMAND...` starts JupyterLab with the command, asks it for its pages, runs from
top to bottom meanwhile every notebook that takes no kernel, and prints what it saw as one JSON
object.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from support.courses import needs_kernel

_PATIENCE = 120  # seconds, on one slow core
_TOKEN = "a-word-of-the-test"


def ask(path: str) -> tuple[int, bytes]:
    """Get a page of the server's, as soon as there is one."""
    request = urllib.request.Request(
        f"http://127.0.0.1:8888{path}", headers={"Authorization": f"token {_TOKEN}"}
    )
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def run(path: Path) -> dict[str, object]:
    """Run a notebook; return what it printed and showed as text, and how long it took."""
    begun = time.monotonic()
    notebook = nbformat.reads(path.read_text(), as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook, timeout=_PATIENCE, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = [output["text"] for output in outputs if output.output_type == "stream"]
    shown = [output["data"].get("text/plain", "") for output in outputs if "data" in output]
    return {"text": "\n".join([*printed, *shown]), "seconds": time.monotonic() - begun}


def main() -> None:
    """Visit."""
    server = subprocess.Popen(
        sys.argv[1:], env={**os.environ, "JUPYTER_TOKEN": _TOKEN}, stderr=subprocess.PIPE, text=True
    )
    try:
        status, _ = ask("/api/status")
        page, html = ask("/lab")
        lessons = sorted(Path("notebooks").glob("*.ipynb"))
        notebooks = {path.stem: run(path) for path in lessons if not needs_kernel(path)}
    finally:
        server.terminate()
        server.wait(_PATIENCE)
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(
        json.dumps(
            {
                "status": status,
                "lab": page,
                "is_lab": b"JupyterLab" in html,
                "notebooks": notebooks,
                "largest_process": kilobytes << 10,
            }
        )
    )


main()
