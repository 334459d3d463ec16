"""The doctor's widget, without a browser: its words, another look, what a saved page keeps."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator

from xdplab.doctor import Finding
from xdplab.widgets import Doctor
from xdplab.widgets.doctor.table import table_html

FOUND = [
    Finding("one", "good", "fine"),
    Finding("<two>", "missing", "nothing & more", "`fix <it>` or leave it."),
]


def found() -> Iterator[Finding]:
    yield from FOUND


def test_its_words_have_every_finding_and_what_helps() -> None:
    words = repr(Doctor({"all": found}))
    assert words.startswith("<Doctor: Whether this machine captures with AF_XDP was not examined")
    assert "examined: 1 good, 0 limited, 1 missing.>" in words
    for part in ("one: fine", "<two>: nothing & more", "-> `fix <it>` or leave it."):
        assert part in words


def test_a_saved_page_keeps_what_was_found_last_and_nothing_of_it_is_markup() -> None:
    widget = Doctor({"all": found})
    draw = widget.static_picture()
    assert draw
    page = draw()["text/html"]
    assert "&lt;two&gt;" in page
    assert "fix &lt;it&gt;</code>" in page
    assert "nothing &amp; more" in page
    assert "<two>" not in page
    troubles, good = page.split("<summary")
    assert "&lt;two&gt;" in troubles
    assert "1 good</summary>" in good
    assert "fine" in good
    assert widget.static_picture() is None  # nothing new
    widget.look()
    widget.wait()
    assert widget.static_picture()


def test_a_press_looks_again_on_a_thread_of_its_own() -> None:
    looks: list[threading.Thread] = []
    go_on = threading.Event()
    go_on.set()

    def slow() -> Iterator[Finding]:
        looks.append(threading.current_thread())
        go_on.wait(30)
        yield Finding("look", "good", f"number {len(looks)}")

    widget = Doctor({"slow": slow})
    (button, said), table = widget.children[0].children, widget.children[1]
    assert "number 1" in table.value
    go_on.clear()
    button.click()
    assert button.disabled
    assert "looking" in said.value
    button.click()  # of no use: it is looking
    assert not widget.wait(0.01)
    go_on.set()
    assert widget.wait(30)
    assert "number 2" in table.value
    assert not button.disabled
    assert threading.current_thread() not in looks


def test_a_check_that_breaks_is_a_finding_in_the_table() -> None:
    def breaks() -> Iterator[Finding]:
        raise RuntimeError("an unheard-of machine")
        yield

    assert "an unheard-of machine" in repr(Doctor({"broken": breaks}))


def test_calls_settings_and_files_are_code_as_commands_are() -> None:
    remedy = (
        "Add isolcpus=1 nohz_full=1 to GRUB_CMDLINE_LINUX in /etc/default/grub, `sudo update-grub`,"
        " and say Engine('eth0', attach='skb') on the other core(s)."
    )
    page = table_html([Finding("cores", "limited", "none", remedy)])
    assert [html.unescape(code) for code in re.findall("<code[^>]*>(.*?)</code>", page)] == [
        "isolcpus=1 nohz_full=1",
        "GRUB_CMDLINE_LINUX",
        "/etc/default/grub",
        "sudo update-grub",
        "Engine('eth0', attach='skb')",
    ]
