"""A cell of ``%%xdp`` in JupyterLab: its program, its error at the line, and the folded log."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.objects import HEAD
from support.pages import Look, OpenNotebook

pytestmark = pytest.mark.kernel

LOADED = "%load_ext xdplab\nfrom xdplab import Lab; lab = Lab()"
PASSES = f"""%%xdp passes --attach lab.port{HEAD}
SEC("xdp") int passes(struct xdp_md *context)
{{
	return XDP_PASS;
}}
"""
PAST = PASSES.replace("XDP_PASS", "*(int *)(long)context->data")


def test_a_refusal_is_shown_at_its_line_with_the_log_folded_away(
    open_notebook: OpenNotebook, look: Look
) -> None:
    page = open_notebook(LOADED, PASSES, PAST)
    page.run(0)
    page.run(1)
    outputs = page.page.locator(".jp-OutputArea-output")
    expect(outputs.filter(has_text="Program for port0, attached to port0")).to_have_count(1)
    page.start(2)
    page.wait_for(2)
    number = 1 + PAST.splitlines().index("\treturn *(int *)(long)context->data;")
    error = outputs.filter(has_text="VerifierError: could not load the XDP program passes")
    expect(error).to_contain_text(f"----> {number} ")
    expect(error).to_contain_text("data_end before each access")
    folded = page.page.locator("details.xdplab-folded")
    log = folded.locator("pre")
    expect(log).to_be_hidden()
    look(page)
    folded.locator("summary").click()
    expect(log).to_be_visible()
    expect(log).to_contain_text("invalid access to packet")
