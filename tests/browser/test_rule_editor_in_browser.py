"""The editor of the filter's rules in JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.pages import Look, OpenNotebook

pytestmark = pytest.mark.kernel

MADE = """
from xdplab import GALLERY, FilterRules, Lab, Program, Traffic
from xdplab.widgets import RuleEditor
lab = Lab()
program = Program(GALLERY["filter"], lab.port)
link = program.attach()
rules = FilterRules(program)
rules["2001:db8:1234:5678:9abc:def0:1234:5678"] = "drop"
traffic = Traffic(lab.peer, lab.port, rate=500, seconds=600).start();
"""


def test_rules_are_edited_while_packets_flow(open_notebook: OpenNotebook, look: Look) -> None:
    page = open_notebook(MADE, "RuleEditor(rules)", "print(dict(rules), rules.otherwise)")
    page.run(0)
    page.run(1)
    box = page.page.get_by_placeholder("udp 9")
    box.fill("198.18.0.0/15")
    box.press("Enter")
    row = page.page.locator(".widget-hbox").filter(has=page.page.get_by_text("198.18.0.0/15"))
    expect(row.get_by_text("drop").first).to_be_attached()
    look(page)
    page.page.get_by_title("198.18.0.0/15: verdict").select_option("pass")
    remove = page.page.get_by_title("Remove 2001:db8")
    remove.click()
    expect(remove).to_have_count(0)
    box.fill("198.18.0.1/15")
    page.page.get_by_role("button", name="Set rule").click()
    expect(page.page.get_by_role("alert")).to_contain_text("has host bits set")
    said = page.run(2)
    assert "'198.18.0.0/15': Rule(verdict='pass'" in said
    assert said.strip().endswith("pass")
