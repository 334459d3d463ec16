"""In a real Jupyter kernel a cell of ``%%xdp`` shows its program, or where it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from support.objects import HEAD

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("privileged")]

PASSES = f"""%%xdp passes --attach lab.port
{HEAD}
SEC("xdp") int passes(struct xdp_md *context)
{{
	return XDP_PASS;
}}
"""
Run = Callable[[str], tuple[str, str]]


@pytest.fixture
def run() -> Iterator[Run]:
    """Run code as a cell of a new kernel; return its text, and its HTML."""
    manager, client = start_new_kernel(kernel_name="python3")

    def run_cell(code: str) -> tuple[str, str]:
        texts: list[str] = []
        pages: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "error":
                texts.extend(content["traceback"])
            elif message["msg_type"] == "stream":
                texts.append(content["text"])
            elif "data" in content:
                texts.append(content["data"].get("text/plain", ""))
                pages.append(content["data"].get("text/html", ""))

        client.execute_interactive(code, timeout=120, output_hook=hear)
        return "\n".join(texts), "\n".join(pages)

    try:
        yield run_cell
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_cell_shows_its_program_or_where_it_is_wrong(run: Run) -> None:
    assert run("%load_ext xdplab\nfrom xdplab import Lab; lab = Lab()") == ("", "")
    text, page = run(PASSES)
    assert "Program on port0" in text
    assert "attached to port0" in page
    number = 1 + PASSES.splitlines().index("\treturn XDP_PASS;")
    text, page = run(PASSES.replace("XDP_PASS", "*(int *)(long)context->data"))
    assert f"----> {number} " in text
    assert "VerifierError: could not load the XDP program passes" in text
    assert "data_end before each access" in text
    assert page.count("<details") == 1
    assert "processed 2 insns" in page
    text, page = run(PASSES.replace("XDP_PASS", "XDP_PAS"))
    assert f"----> {number} " in text
    assert "CompileError" in text
    assert "run_cell_magic" not in text
    text, _page = run("print(passes.links[0].closed, passes.closed)")
    assert text.strip() == "False False"
    text, _page = run("%tb")
    assert "run_cell_magic" in text
